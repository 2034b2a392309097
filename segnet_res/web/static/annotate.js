// The Annotate tab: puts the columns together, and keeps picture, draft and dataset in step.

import { DatasetChoice } from "./annotate-dataset.js";
import { clock, Drafts } from "./annotate-drafts.js";
import { Editor } from "./annotate-editor.js";
import { PictureList } from "./annotate-list.js";
import { SavePanel } from "./annotate-save.js";
import { AnnotateServer } from "./annotate-server.js";
import { PictureSource } from "./annotate-source.js";
import { el, fileUrl, recall, remember } from "./dom.js";
import { Entry } from "./entries.js";
import { loadLabels } from "./masks.js";
import { acceptDrops, keepPage } from "./sources.js";
import { t } from "./texts.js";

const STATE_KEY = "segnet-res:annotate";
const SUFFIXES = /\.(png|jpe?g|tiff?|webp|bmp)$/i;

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
    // What is open: {entry, reply, classes}; null: nothing.
    this.opened = null;
    // What was open before another mask of the picture was taken: {reply, labels}.
    this.mine = null;
    // Counts openings: what belongs to an earlier one is dropped. And what is ready, for tests.
    this.turn = 0;
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
    this.editor = new Editor({ onChange: () => this.#changed() });
    this.editor.viewer.onStep = (direction) => this.#step(direction);
    this.drafts = new Drafts({
      save: () => this.#keepDraft(),
      onState: (state) => {
        this.element.dataset.draft = state;
      },
    });
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
      classes: () => this.#suggested(),
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
    this.origin = el("span", { class: "sr-annotate-origin", role: "status" });
    const button = (key, act) => el("button", {
      type: "button", class: "sr-tool", text: t(`annotate.${key}`), hidden: true, onclick: act,
    });
    this.restart = button("restart", () => this.#take("prediction"));
    this.takeSaved = button("takeSaved", () => this.#take("saved"));
    this.back = button("back", () => this.#bringBack());
    this.line = el("div", { class: "sr-annotate-line" }, this.origin, this.restart, this.takeSaved,
      this.back, this.drafts.status);
    // Classes are added where they are chosen; the buttons that save stay in sight below them.
    this.editor.side.append(this.dataset.more, this.save.node);
    this.element.classList.add("sr-annotate");
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", t("annotate.tab"));
    this.element.replaceChildren(
      el("aside", { class: "sr-left", "aria-label": t("annotate.left") }, this.source.node, this.list.node),
      el("div", { class: "sr-annotate-main" }, this.alert,
        el("div", { class: "sr-annotate-bar" }, this.dataset.field, this.save.partField, this.save.whoField),
        this.dataset.form, this.line, this.editor.node),
    );
    acceptDrops(this.element, (files) => this.#dropped(files));
    this.#tellOrigin(t("annotate.start"));
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
    if (!this.opened) return;
    // Nobody has worked on this one yet: the other checkpoint may propose a better mask.
    if (this.opened.reply.origin === "prediction" && !this.editor.dirty) this.#open(this.opened.entry, "best");
    else this.#offer();
  }

  // Another tab opens pictures here: {pictures: [{source, name, file}], index, model}.
  async #handed({ pictures, index = 0, model = null }) {
    window.segnetResAnnotate = null;
    if (!this.listed) return void (window.segnetResAnnotate = { pictures, index, model });
    if (model) document.dispatchEvent(new CustomEvent("segnet-res:choose", { detail: model }));
    const entries = pictures.map(({ source, name, file = null }) => new Entry({ source, name, file }));
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
    const pictures = files.filter((file) => SUFFIXES.test(file.name));
    if (pictures.length) this.#add(pictures.map((file) => new Entry({ file, name: file.name })));
  }

  // Pictures that people bring join the list; a folder of the server takes its place.
  async #add(entries, index = 0) {
    if (!await this.#leave()) return;
    const kept = this.source.value ? [] : this.list.entries;
    this.source.set("");
    const known = new Map(kept.map((entry) => [entry.key, entry]));
    const chosen = entries.map((entry) => known.get(entry.key) ?? entry);
    const fresh = chosen.filter((entry) => !known.has(entry.key)).slice(0, MAX_PICTURES - kept.length);
    this.list.set([...kept, ...fresh]);
    const wanted = chosen[index];
    if (this.list.entries.includes(wanted)) this.#open(wanted, "best");
  }

  async #placeChosen(place, current = null) {
    if (!await this.#leave()) return;
    this.#close();
    this.list.set([]);
    this.#remember();
    if (!place) return;
    const turn = ++this.turn;
    // A dataset that somebody looks at is the one that its masks belong to.
    if (place.startsWith("dataset:")) this.dataset.choose(place.slice("dataset:".length));
    this.source.say(t("annotate.listing"));
    try {
      const folder = PictureSource.folderOf(place);
      const { pictures } = await this.server.ask({ action: "list", folder, dataset: this.dataset.name });
      if (turn !== this.turn) return;
      this.source.say(pictures.length ? "" : t("annotate.noPictures", { name: folder }));
      this.list.set(pictures.map(({ file, state }) => Object.assign(new Entry({
        source: { kind: "folder", folder, file }, name: file,
      }), { mark: state })));
      this.#ready(`listed-${++this.count}`);
      this.source.resume();
      const entry = this.list.entries.find(({ key }) => key === current);
      if (entry) this.#open(entry, "best");
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
    this.#ready(`ranked-${++this.count}`);
  }

  async #look(entries) {
    const { pictures } = await this.server.ask({
      action: "look", dataset: this.dataset.name, pictures: entries.map(({ source }) => source),
    });
    return pictures;
  }

  async #clear() {
    if (!await this.#leave()) return;
    this.#close();
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
    if (entry === this.opened?.entry && entry === this.list.current) return;
    if (await this.#leave()) await this.#open(entry, "best");
  }

  // Keep what is open before something else takes its place; false when that fails: it stays then.
  async #leave() {
    try {
      await this.drafts.flush();
      return true;
    } catch (error) {
      this.#fail(error.message);
      return false;
    }
  }

  // Open a picture with its draft, its saved mask or a prediction. Resolves with whether it is there.
  async #open(entry, start) {
    const turn = ++this.turn;
    this.list.select(entry);
    this.#fail(null);
    this.#busy(entry, turn);
    try {
      const reply = await this.server.open(entry, {
        start, dataset: this.dataset.name, model: this.model,
      }, (ahead) => {
        this.ahead = ahead;
      });
      if (turn !== this.turn) return false;
      // Nobody should have painted meanwhile; who has, loses nothing.
      await this.drafts.flush();
      if (turn !== this.turn) return false;
      if (!await this.#show(entry, reply) || turn !== this.turn) return false;
      this.#remember();
      this.#ready(`opened-${++this.count}`);
      return true;
    } catch (error) {
      if (turn !== this.turn) return false;
      // What was open before stays in the editor only as long as it is the same picture.
      if (this.opened?.entry !== entry) this.#close();
      else this.#offer();
      this.#fail(error.message);
      this.#ready(`failed-${++this.count}`);
      return false;
    } finally {
      if (turn === this.turn) this.#idle();
    }
  }

  // Put the server's answer into the editor; `labels` (Uint8Array) instead of the mask that it names.
  async #show(entry, reply, labels = null) {
    const { files, background, ignore } = reply;
    // The model's own labels are what the regions to accept are made of.
    const proposed = files.proposal && await levelsOf(files.proposal);
    const shown = await this.editor.open({
      image: reply.image, picture: fileUrl(files.preview), full: files.full && fileUrl(files.full),
      labels: labels ?? proposed ?? fileUrl(files.labels), classes: reply.classes, ignore, background,
      proposal: proposed,
    });
    if (!shown) return false;
    const same = this.opened?.entry === entry;
    if (!same) this.mine = null;
    this.opened = { entry, reply, classes: reply.classes };
    entry.mark = reply.saved?.state ?? "";
    entry.draft = reply.draft;
    this.drafts.reset(reply.origin === "draft"
      ? t("annotate.draftSaved", { time: clock(reply.draft) }) : undefined);
    this.save.show(reply);
    if (!same) this.save.say("");
    this.#offer();
    this.#tellChanges();
    this.list.update();
    return true;
  }

  #close() {
    this.turn++;
    this.opened = this.mine = null;
    this.list.current = null;
    this.editor.close();
    this.drafts.reset("");
    this.#tellOrigin(t("annotate.start"));
    this.#offer();
    this.#idle();
  }

  // Which other masks of the picture one can begin with.
  #offer() {
    const reply = this.opened?.reply;
    this.restart.hidden = !reply || !this.model || (reply.origin === "prediction" && !this.editor.dirty);
    this.takeSaved.hidden = !reply?.saved || (reply.origin === "saved" && !this.editor.dirty);
    this.back.hidden = !this.mine;
    this.#allow();
    if (!reply) return this.dataset.tellNew([]);
    this.dataset.tellNew(!this.dataset.name ? []
      : this.opened.classes.filter(({ own }) => !own).map(({ name }) => name));
    this.#tellOrigin(originOf(reply));
  }

  #tellOrigin(text) {
    this.origin.textContent = text;
  }

  // Begin with another mask of the open picture; what was there can be brought back.
  async #take(start) {
    if (!this.opened || !await this.#leave()) return false;
    const { entry, reply, classes } = this.opened;
    const mine = this.mine ?? { reply: { ...reply, classes }, labels: this.editor.labels.slice() };
    if (!await this.#open(entry, start)) return false;
    this.mine = mine;
    // A mask that somebody chose to begin with is worth a draft.
    if (start === "prediction") this.drafts.changed();
    this.#offer();
    return true;
  }

  async #bringBack() {
    const { mine } = this;
    const { entry } = this.opened;
    const turn = ++this.turn;
    const reply = { ...mine.reply, origin: "mine", files: { ...mine.reply.files, proposal: null } };
    try {
      if (!await this.#show(entry, reply, mine.labels) || turn !== this.turn) return;
      this.mine = null;
      this.drafts.changed();
      this.#offer();
      this.#ready(`opened-${++this.count}`);
    } catch (error) {
      this.#fail(error.message);
    }
  }

  async #theirs() {
    if (await this.#take("saved")) this.save.say(t("annotate.theirsShown"));
  }

  // Changes and what becomes of them

  #changed() {
    if (!this.opened) return;
    this.drafts.changed();
    this.#tellChanges();
    if (this.restart.hidden || this.takeSaved.hidden) this.#offer();
  }

  #tellChanges() {
    this.save.tell(this.editor.changed);
  }

  #about() {
    const { reply, classes } = this.opened;
    return {
      classes: classes.map(({ name, color }) => ({ name, color })),
      dataset: this.dataset.name, opened: reply.opened, proposed_by: reply.proposed_by,
    };
  }

  async #keepDraft() {
    const { entry } = this.opened;
    const fields = { action: "draft", ...this.#about() };
    const { when } = await this.server.keep(entry, await this.editor.png(), fields);
    const first = !entry.draft;
    entry.draft = when;
    if (first) this.list.update();
    return when;
  }

  async #save(state, overwrite) {
    if (!this.opened || this.saving || this.save.buttons[0].disabled) return;
    this.saving = true;
    this.#fail(null);
    this.#allow();
    const { entry, reply } = this.opened;
    this.save.say(t("annotate.saving", { name: entry.name }));
    try {
      // The draft comes first, so that it cannot come back after the save has taken it away.
      await this.drafts.flush();
      const fields = {
        action: "save", ...this.#about(), state, overwrite, part: this.save.part.value.trim(),
      };
      const answer = await this.server.keep(entry, await this.editor.png(), fields);
      if (answer.conflict) {
        this.save.say("");
        this.save.conflict(answer.conflict, state);
        this.#ready(`conflict-${++this.count}`);
        return;
      }
      const { saved } = answer;
      Object.assign(entry, { mark: saved.state, draft: null });
      this.opened.reply = { ...reply, saved, opened: saved.mask_sha256, origin: "saved", draft: null };
      this.editor.saved();
      this.mine = null;
      this.drafts.reset();
      await this.#saved(saved, entry);
    } catch (error) {
      this.save.say("");
      this.#fail(error.message);
      this.#ready(`failed-${++this.count}`);
    } finally {
      this.saving = false;
      this.#allow();
    }
  }

  // Tell what was saved, and go on to the next picture.
  async #saved(saved, entry) {
    const { name } = entry;
    const { revision, split } = saved;
    const key = saved.state === "done" ? "annotate.savedDone" : "annotate.savedOther";
    const sentences = [t(key, { name, revision, split, state: t(`annotate.${saved.state}`) })];
    const next = this.list.following();
    if (!next && this.list.entries.length > 1) sentences.push(t("annotate.last"));
    // Classes that were new to the dataset are its own by now.
    await this.#places().catch(() => {});
    if (next) await this.#open(next, "best");
    else {
      this.save.show(this.opened.reply);
      this.opened.classes = this.#ownBy(this.opened.classes);
      this.#offer();
      this.list.update();
    }
    this.save.say(sentences.join(" "));
    this.#ready(`saved-${++this.count}`);
  }

  #ownBy(classes) {
    const known = this.dataset.datasets.find(({ name }) => name === this.dataset.name)?.classes ?? [];
    return classes.map((one) => ({ ...one, own: one.own || known.includes(one.name) }));
  }

  async #download() {
    const url = URL.createObjectURL(await this.editor.png());
    const stem = this.opened.entry.name.split("/").at(-1).replace(/\.[^.]{1,5}$/, "");
    el("a", { href: url, download: `${stem}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  // Datasets and classes

  async #datasetChosen() {
    this.#allow();
    for (const entry of this.list.entries) entry.looked = false;
    const place = this.source.value;
    // The states in the list are those in the dataset.
    if (place) await this.#placeChosen(place, this.opened?.entry.key ?? null);
    else if (this.opened && await this.#leave()) await this.#open(this.opened.entry, "best");
    else this.list.update();
  }

  // The classes that a new dataset may begin with.
  #suggested() {
    return (this.opened?.classes ?? []).map(({ name }) => name);
  }

  async #addClass(name) {
    this.#fail(null);
    const { opened } = this;
    if (!opened || !this.dataset.name) return this.#fail(t("annotate.needDataset"));
    try {
      const { added } = await this.server.ask({
        action: "new_class", dataset: this.dataset.name, name,
      });
      if (opened !== this.opened) return;
      const there = opened.classes.find((one) => one.name === added.name);
      if (there) there.own = true;
      else opened.classes = [...opened.classes, { ...added, index: opened.classes.length, own: true }];
      this.editor.setClasses(opened.classes);
      const { index } = opened.classes.find((one) => one.name === added.name);
      this.editor.setClass(index);
      this.dataset.added(added.name);
      this.#offer();
      this.#ready(`class-${++this.count}`);
    } catch (error) {
      this.#fail(error.message);
    }
  }

  // What is remembered for a reload

  #remember() {
    const place = this.source.value;
    // A folder is listed anew.
    const pictures = place ? [] : this.list.entries.filter(({ source }) => source)
      .map(({ source, name }) => ({ source, name }));
    const current = this.opened?.entry.source ? JSON.stringify(this.opened.entry.source) : null;
    remember("sessionStorage", STATE_KEY, JSON.stringify({ place, pictures, current }));
  }

  async #restore() {
    const kept = JSON.parse(recall("sessionStorage", STATE_KEY) || "null");
    if (!kept) return;
    if (kept.place) {
      this.source.set(kept.place);
      if (this.source.value) await this.#placeChosen(kept.place, kept.current);
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

  #busy(entry, turn) {
    this.ahead = 0;
    const began = performance.now();
    const tell = () => {
      if (turn !== this.turn) return;
      const seconds = Math.floor((performance.now() - began) / 1000);
      this.#tellOrigin(this.ahead === 0 ? t("annotate.opening", { name: entry.name, seconds })
        : this.ahead === 1 ? t("annotate.openingWaitsOne")
          : t("annotate.openingWaits", { ahead: this.ahead }));
    };
    clearInterval(this.timer);
    this.timer = setInterval(tell, 1000);
    this.element.classList.add("sr-busy");
    // What is painted into a picture that is about to go would be lost.
    this.editor.node.inert = true;
    tell();
  }

  #idle() {
    clearInterval(this.timer);
    this.element.classList.remove("sr-busy");
    this.editor.node.inert = false;
  }

  #allow() {
    this.save.allow({
      open: Boolean(this.opened), dataset: this.dataset.name, who: this.user ?? this.server.who,
      busy: Boolean(this.saving),
    });
  }

  #fail(sentence) {
    this.alert.textContent = sentence ?? "";
    this.alert.hidden = !sentence;
  }

  #ready(token) {
    this.element.dataset.ready = token;
  }
}

async function levelsOf(path) {
  const { levels } = await loadLabels(fileUrl(path), null, null, null);
  return levels[0].data;
}

// What the mask in the editor is, in words.
function originOf(reply) {
  const { origin, saved, draft, opened } = reply;
  const said = [];
  const who = saved?.who ?? t("annotate.somebody");
  if (origin === "draft") said.push(t("annotate.originDraft", { when: clock(draft) }));
  else if (origin === "mine") said.push(t("annotate.originMine"));
  else if (origin === "empty") said.push(t("annotate.originEmpty"));
  else if (origin === "prediction") said.push(t("annotate.originPrediction", { by: reply.proposed_by }));
  else if (saved.when) {
    const state = t(`annotate.${saved.state}`);
    said.push(t("annotate.originSaved", { state, who, when: clock(saved.when) }));
  } else said.push(t("annotate.originLabelled"));
  if (["draft", "mine"].includes(origin) && saved?.when && saved.mask_sha256 !== opened) {
    said.push(t("annotate.savedSince", { who, when: clock(saved.when) }));
  }
  return said.join(" ");
}
