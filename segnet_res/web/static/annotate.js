// The Annotate tab: puts the columns together, and keeps picture, draft and dataset in step.

import { DatasetChoice } from "./annotate-dataset.js";
import { PictureList } from "./annotate-list.js";
import { OpenPicture } from "./annotate-picture.js";
import { SavePanel } from "./annotate-save.js";
import { AnnotateServer } from "./annotate-server.js";
import { PictureSource } from "./annotate-source.js";
import { el, recall, remember } from "./dom.js";
import { isPicture } from "./drops.js";
import { Entry } from "./entries.js";
import { acceptDrops, keepPage } from "./sources.js";
import { t } from "./texts.js";

const STATE_KEY = "segnet-res:annotate";

// Of uploads and other tabs; folders of the server may hold thousands.
const MAX_PICTURES = 300;

export function start(parts) {
  new AnnotateTab(parts);
}

class AnnotateTab {
  constructor({ element, value, onValue, send, upload }) {
    this.element = element;
    this.server = new AnnotateServer({ value, onValue, send, upload });
    this.model = window.segnetResModel?.name ?? null;
    this.user = null;
    // Counts lists: what belongs to an earlier one is dropped.
    this.turn = 0;
    // Counts what has come to its end: the tab's state for whoever waits for it.
    this.count = 0;
    this.#build();
    document.addEventListener("segnet-res:model", ({ detail }) => this.#modelChosen(detail.name));
    document.addEventListener("segnet-res:annotate", ({ detail }) => this.#handed(detail));
    document.addEventListener("paste", (event) => this.#pasted(event));
    document.addEventListener("keydown", (event) => this.#pressed(event));
    // Datasets that were made since are listed when the tab is looked at.
    new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting) && this.listed) this.#places().catch(() => {});
    }).observe(element);
    keepPage();
    this.#begin();
  }

  #build() {
    this.picture = new OpenPicture({
      server: this.server,
      choices: () => ({ dataset: this.dataset?.name ?? "", model: this.model }),
      onOpening: (entry) => this.#opening(entry),
      onShown: (entry, reply) => this.#shown(entry, reply),
      onChanged: () => this.#changed(),
      onDraft: (state) => {
        this.element.dataset.draft = state;
      },
      onReady: (kind) => this.#ready(kind),
      onHeld: () => this.#allow(),
      onFail: (sentence) => this.#fail(sentence),
    });
    this.picture.editor.viewer.onStep = (direction) => this.#step(direction);
    this.source = new PictureSource({
      ask: (fields) => this.server.ask(fields),
      dataset: () => this.dataset.name,
      onFiles: (files) => this.#dropped(files),
      onPlace: (place) => this.#placeChosen(place),
      onRanked: (reply) => this.#ranked(reply),
      onError: (sentence) => this.#fail(sentence),
    });
    this.list = new PictureList({
      look: (entries) => this.#look(entries),
      onSelect: (entry) => this.#select(entry),
      onClear: () => this.#clear(),
    });
    this.dataset = new DatasetChoice({
      ask: (fields) => this.server.ask(fields),
      model: () => this.model,
      classes: () => this.picture.classes.map(({ name }) => name),
      onChoose: () => this.#datasetChosen(),
      onAdd: (name) => this.#addClass(name),
      onMade: () => this.#places(),
      onError: (sentence) => this.#fail(sentence),
    });
    this.save = new SavePanel({
      onSave: (state, overwrite) => this.#save(state, overwrite),
      onDownload: () => this.#download(),
      onTheirs: () => this.#theirs(),
      onWho: (name) => {
        this.server.setWho(name);
        this.#allow();
      },
    });
    this.alert = el("div", { class: "sr-alert", role: "alert", hidden: true });
    // Classes are added where they are chosen; the buttons that save stay in sight below them.
    this.picture.editor.side.append(this.dataset.more, this.save.node);
    this.element.classList.add("sr-annotate");
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", t("annotate.tab"));
    this.element.replaceChildren(
      el("aside", { class: "sr-left", "aria-label": t("annotate.left") }, this.source.node, this.list.node),
      el("div", { class: "sr-annotate-main" }, this.alert,
        el("div", { class: "sr-annotate-bar" }, this.dataset.field, this.save.partField, this.save.whoField),
        this.dataset.form, this.picture.line, this.picture.editor.node),
    );
    acceptDrops(this.element, (files) => this.#dropped(files), (sentence) => this.#fail(sentence));
    this.#allow();
    this.#ready("start");
  }

  // What comes in

  async #begin() {
    try {
      await this.#places();
    } catch (error) {
      this.#fail(error.message);
    }
    this.source.setModel(this.model);
    this.listed = true;
    this.element.dataset.places = "listed";
    const handed = window.segnetResAnnotate;
    if (handed) return this.#handed(handed);
    await this.#restore();
  }

  async #places() {
    const reply = await this.server.ask({ action: "places" });
    this.user = reply.user;
    this.save.setUser(reply.user, this.server.who);
    this.source.list(reply);
    this.dataset.list(reply.datasets);
    this.#allow();
  }

  #modelChosen(name) {
    this.model = name;
    this.source.setModel(name);
    this.picture.modelChanged();
  }

  // Another tab opens pictures here: {pictures: [{source, name, file, sliders}], index, model}.
  async #handed({ pictures, index = 0, model = null }) {
    window.segnetResAnnotate = null;
    if (!this.listed) return void (window.segnetResAnnotate = { pictures, index, model });
    if (model) document.dispatchEvent(new CustomEvent("segnet-res:choose", { detail: model }));
    const entries = pictures.map(({ source, name, file, sliders }) =>
      new Entry({ source, name, file: file ?? null, sliders }));
    // A picture of a dataset is corrected there.
    const dataset = pictures[index]?.source?.dataset;
    if (dataset) this.dataset.choose(dataset);
    await this.#add(entries, index);
  }

  #pasted(event) {
    if (!this.element.offsetParent) return;
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) this.#dropped(files);
  }

  #dropped(files) {
    const pictures = files.filter((file) => isPicture(file.name));
    if (pictures.length) this.#add(pictures.map((file) => new Entry({ file, name: file.name })));
  }

  // Pictures that people bring join the list; a folder of the server takes its place.
  async #add(entries, index = 0) {
    if (!await this.picture.leave()) return;
    const kept = this.source.value ? [] : this.list.entries;
    this.source.set("");
    const known = new Map(kept.map((entry) => [entry.key, entry]));
    const chosen = entries.map((entry) => {
      const same = known.get(entry.key);
      // The tab that it comes from may have moved its sliders since.
      if (same && entry.sliders) same.sliders = entry.sliders;
      return same ?? entry;
    });
    const fresh = chosen.filter((entry) => !known.has(entry.key)).slice(0, MAX_PICTURES - kept.length);
    this.list.set([...kept, ...fresh]);
    const wanted = chosen[index];
    this.turn++;
    if (this.list.entries.includes(wanted)) await this.picture.open(wanted);
  }

  async #placeChosen(place) {
    // A dataset that somebody looks at is the one that its masks belong to.
    if (place.startsWith("dataset:")) this.dataset.choose(place.slice("dataset:".length));
    await this.#listPlace(place);
  }

  // List the pictures of a folder or dataset, and open the one of the key `current` again.
  async #listPlace(place, current = null) {
    if (!await this.picture.leave()) return;
    const turn = ++this.turn;
    this.picture.close();
    this.list.set([]);
    if (!place) return;
    this.source.say(t("annotate.listing"));
    try {
      const folder = PictureSource.folderOf(place);
      const { pictures } = await this.server.ask({ action: "list", folder, dataset: this.dataset.name });
      if (turn !== this.turn) return;
      this.source.say(pictures.length ? "" : t("annotate.noPictures", { name: folder }));
      this.list.set(pictures.map(({ file, state }) => Object.assign(new Entry({
        source: { kind: "folder", folder, file }, name: file,
      }), { mark: state })));
      this.#ready("listed");
      this.source.resume();
      const entry = this.list.entries.find(({ key }) => key === current);
      if (entry) await this.picture.open(entry);
    } catch (error) {
      if (turn === this.turn) this.source.say("");
      this.#fail(error.message);
    }
  }

  // The most useful one comes first; what was left out is at the end, with the reason.
  #ranked({ ranked, skipped }) {
    const known = new Map(this.list.entries.map((entry) => [entry.source?.file, entry]));
    const take = (rows) => rows.filter(({ file }) => known.has(file)).map(({ file, reason }) => {
      const entry = known.get(file);
      known.delete(file);
      return Object.assign(entry, { reason });
    });
    const [first, last] = [take(ranked), take(skipped)];
    for (const entry of known.values()) entry.reason = null;
    this.list.set([...first, ...known.values(), ...last]);
    this.#ready("ranked");
  }

  async #look(entries) {
    const { pictures } = await this.server.ask({
      action: "look", dataset: this.dataset.name, pictures: entries.map(({ source }) => source),
    });
    return pictures;
  }

  async #clear() {
    if (!await this.picture.leave()) return;
    this.turn++;
    this.picture.close();
    this.source.set("");
    this.source.say("");
    this.list.set([]);
    this.#remember();
  }

  // One picture

  #step(direction) {
    const next = this.list.neighbour(direction);
    if (next) this.#select(next);
    return this.list.entries.length > 1;
  }

  async #select(entry) {
    if (entry === this.picture.entry && entry === this.list.current) return;
    if (await this.picture.leave()) await this.picture.open(entry);
  }

  #opening(entry) {
    this.list.select(entry);
    if (entry !== this.picture.entry) this.save.say("");
  }

  // Something is open, or nothing any more.
  #shown(entry, reply) {
    // What is written beside a picture stays until it is saved, whichever mask is begun with.
    this.save.show(reply, { keepPart: entry !== null && entry === this.written });
    this.written = entry;
    if (!entry) this.list.current = null;
    this.#remember();
    this.#changed();
    this.list.draw();
  }

  #changed() {
    const { picture, dataset } = this;
    this.save.tell(picture.editor.changed);
    dataset.tellNew(!dataset.name ? []
      : picture.classes.filter(({ own }) => !own).map(({ name }) => name));
    // The list marks pictures with a draft.
    if (picture.entry?.draft && picture.entry !== this.drafted) this.list.draw();
    this.drafted = picture.entry?.draft ? picture.entry : null;
    this.#allow();
  }

  async #theirs() {
    if (await this.picture.take("saved")) this.save.say(t("annotate.theirsShown"));
  }

  // Saving

  async #save(state, overwrite) {
    const { picture } = this;
    // Ctrl+S presses no button: it may come while another picture opens, and nobody would know which
    // of them is meant; or in the middle of a stroke, which is no step yet.
    if (!picture.settled || picture.editor.pressing || this.save.buttons[0].disabled) return;
    this.#fail(null);
    try {
      const { conflict, said = "" } = await picture.hold(() => this.#keep(state, overwrite));
      this.save.say(said);
      if (conflict) this.save.conflict(conflict, state);
      this.#ready(conflict ? "conflict" : "saved");
    } catch (error) {
      this.save.say("");
      this.#fail(error.message);
      this.#ready("failed");
    }
  }

  // Save what is open, and go on. Resolves with what is to be said, or with who was faster.
  async #keep(state, overwrite) {
    const { picture } = this;
    const { entry } = picture;
    this.save.say(t("annotate.saving", { name: entry.name }));
    // The draft comes first, so that it cannot come back after the save has taken it away. Where none
    // can be kept, the mask can be saved all the same.
    await picture.drafts.flush().catch(() => {});
    const part = this.save.part.value.trim();
    const { conflict, saved } = await picture.send({ action: "save", state, overwrite, part });
    if (conflict) return { conflict };
    picture.saved(saved);
    this.written = null;
    return { said: await this.#goOn(saved, entry) };
  }

  // Go on to the next picture; resolves with what was saved, in words.
  async #goOn(saved, entry) {
    const { name } = entry;
    const { revision, split } = saved;
    const key = saved.state === "done" ? "annotate.savedDone" : "annotate.savedOther";
    const sentences = [t(key, { name, revision, split, state: t(`annotate.${saved.state}`) })];
    const next = this.list.following();
    if (!next && this.list.entries.length > 1) sentences.push(t("annotate.last"));
    // Classes that were new to the dataset are its own by now.
    await this.#places().catch(() => {});
    // Who has chosen another one meanwhile gets that.
    if (next && !this.picture.leaving) await this.picture.open(next);
    else {
      this.picture.opened.classes = this.#ownBy(this.picture.classes);
      this.#shown(entry, this.picture.opened.reply);
    }
    return sentences.join(" ");
  }

  #ownBy(classes) {
    const known = this.dataset.datasets.find(({ name }) => name === this.dataset.name)?.classes ?? [];
    return classes.map((one) => ({ ...one, own: one.own || known.includes(one.name) }));
  }

  async #download() {
    const url = URL.createObjectURL(await this.picture.editor.png());
    const stem = this.picture.entry.name.split("/").at(-1).replace(/\.[^.]{1,5}$/, "");
    el("a", { href: url, download: `${stem}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  // Datasets and classes

  async #datasetChosen() {
    const { picture } = this;
    for (const entry of this.list.entries) entry.looked = false;
    const place = this.source.value;
    // The states in the list are those in the dataset.
    if (place) await this.#listPlace(place, picture.entry?.key ?? null);
    else if (picture.opened && await picture.leave()) await picture.open(picture.entry);
    else this.list.draw();
    this.#allow();
  }

  async #addClass(name) {
    this.#fail(null);
    const { picture } = this;
    const { opened } = picture;
    if (!opened || !this.dataset.name) return this.#fail(t("annotate.needDataset"));
    try {
      const { added } = await this.server.ask({
        action: "new_class", dataset: this.dataset.name, name,
      });
      if (opened !== picture.opened) return;
      const at = opened.classes.findIndex((one) => one.name === added.name);
      const index = at < 0 ? opened.classes.length : at;
      picture.setClasses(at < 0 ? [...opened.classes, { ...added, index, own: true }]
        : opened.classes.map((one) => (one.name === added.name ? { ...one, own: true } : one)));
      picture.editor.setClass(index);
      this.dataset.added(added.name);
      this.#ready("class");
    } catch (error) {
      this.#fail(error.message);
    }
  }

  // What is remembered for a reload

  #remember() {
    const place = this.source.value;
    // A folder is listed anew.
    const pictures = place ? [] : this.list.entries.filter(({ source }) => source)
      .map(({ source, name, sliders }) => ({ source, name, sliders }));
    const { source } = this.picture.entry ?? {};
    const current = source ? JSON.stringify(source) : null;
    remember("sessionStorage", STATE_KEY, JSON.stringify({ place, pictures, current }));
  }

  async #restore() {
    const kept = JSON.parse(recall("sessionStorage", STATE_KEY) || "null");
    if (!kept) return;
    if (kept.place) {
      this.source.set(kept.place);
      if (this.source.value) await this.#listPlace(kept.place, kept.current);
      return;
    }
    const entries = kept.pictures.map((picture) => new Entry(picture));
    const index = entries.findIndex(({ key }) => key === kept.current);
    if (entries.length) await this.#add(entries, index);
  }

  // Words

  #pressed(event) {
    if (!this.element.offsetParent || event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey)) return;
    // The browser would save the page, which is of no use to anybody here.
    event.preventDefault();
    if (!event.repeat) this.#save("done", false);
  }

  #allow() {
    const { opened, saving } = this.picture;
    const { name } = this.dataset;
    this.save.allow({
      open: Boolean(opened), dataset: name, who: this.user ?? this.server.who, busy: Boolean(saving),
      // Where it could not be opened for the dataset that was chosen since, it is still another's.
      fits: !opened || (opened.reply.dataset ?? "") === name,
    });
  }

  #fail(sentence) {
    this.alert.textContent = sentence ?? "";
    this.alert.hidden = !sentence;
  }

  #ready(kind) {
    this.element.dataset.ready = `${kind}-${++this.count}`;
  }
}
