// The Compare tab: two checkpoints on the same pictures, side by side.

import { Asker } from "./asking.js";
import { PictureList } from "./compare-list.js";
import { Screen } from "./compare-screen.js";
import { FileError, forgetUploads, uploadFiles } from "./compare-upload.js";
import { el, recall, remember } from "./dom.js";
import { Entry } from "./entries.js";
import { keep, kept } from "./kept.js";
import { sortFiles } from "./pairing.js";
import { DropBox, acceptDrops, markSample, sampleList, sampleOf } from "./sources.js";
import { t } from "./texts.js";
import { fill } from "./train-fields.js";

const CHOICE_KEY = "segnet-res:two-models";
const KEPT_KEY = "segnet-res:compared";

export function start(parts) {
  new CompareTab(parts);
}

class CompareTab {
  constructor({ element, value, onValue, send, upload }) {
    this.element = element;
    this.upload = upload;
    this.asker = new Asker({ value, onValue, send: send.ask });
    // Counts what the person asked for; what is late for it is dropped.
    this.turn = 0;
    // How many checkpoints there are where these are too few, else null.
    this.few = null;
    this.#build();
    this.#cleared();
    this.#ready("start");
    document.addEventListener("segnet-res:model", ({ detail }) => this.#headerChose(detail));
    document.addEventListener("paste", (event) => this.#pasted(event));
    // Nothing is asked of the server before somebody comes here.
    new ResizeObserver(() => {
      if (!this.samples.hasChildNodes() && element.offsetParent) this.#choices();
    }).observe(element);
  }

  #build() {
    this.screen = new Screen({
      onModels: () => this.#modelsChosen(), onOpen: () => this.#choices(),
      onInspect: (side) => this.#inspect(side), onSwap: () => this.#swap(),
      onStep: (direction) => this.#stepped(direction),
    });
    this.panes = this.screen.panes;
    this.list = new PictureList({
      onChoose: (entry) => this.#choose(entry), onRemove: (entry) => this.#remove(entry),
      onRun: () => this.#run(true), onStop: () => this.#run(false), onClear: () => this.#clear(),
    });
    const box = new DropBox({
      id: "sr-compare-image", title: t("compare.picturesTitle"), hint: t("compare.picturesHint"),
      iconName: "upload", multiple: true, onFiles: (files) => this.#filesChosen(files), onClear: () => {},
      onError: (sentence) => this.screen.fail(sentence),
    });
    this.samples = el("div", { class: "sr-sample-box" });
    this.datasets = el("div", { class: "sr-compare-dataset", hidden: true });
    acceptDrops(this.screen.grid, (files) => this.#filesChosen(files),
      (sentence) => this.screen.fail(sentence));
    this.element.classList.add("sr-compare");
    this.element.replaceChildren(
      el("aside", { class: "sr-compare-left", "aria-label": t("compare.sources") },
        box.node, this.samples, this.datasets, this.list.node, this.screen.status),
      this.screen.node);
  }

  // Which checkpoint is which.

  #listModels(models) {
    const names = models.filter((model) => !model.error).map((model) => model.name);
    const stored = JSON.parse(recall("sessionStorage", CHOICE_KEY) || "[]");
    // Pictures that are opened again were compared by both that are stored.
    const again = kept(KEPT_KEY).pictures.length > 0 ? stored[0] : null;
    const there = (...wanted) => wanted.find((name) => names.includes(name)) ?? names[0];
    const first = there(this.panes[0].name, again, window.segnetResModel?.name);
    const second = there(this.panes[1].name, stored[1], names.find((name) => name !== first));
    this.panes[0].list(names, first);
    this.panes[1].list(names, second);
    this.few = names.length < 2 ? names.length : null;
    if (!this.list.current) this.screen.fail(this.#tooFew());
  }

  #tooFew() {
    return this.few === null ? null : t("compare.oneCheckpoint", { count: this.few });
  }

  // A file that was put into the folder since is listed when a list is opened.
  async #choices() {
    if (this.looking) return;
    this.looking = true;
    try {
      const { models, datasets, samples } = await this.asker.ask({ action: "choices" });
      this.#listModels(models);
      this.#listDatasets(datasets);
      if (this.samples.hasChildNodes()) return;
      this.#listSamples(samples);
      const { pictures, index } = kept(KEPT_KEY);
      this.#add(pictures, pictures[index]);
    } catch (error) {
      this.screen.fail(error.message);
    } finally {
      this.looking = false;
    }
  }

  // The choice for the other tabs counts until there is something to compare.
  #headerChose(choice) {
    if (this.list.entries.length > 0) return;
    if (!choice?.name || this.panes[0].name === choice.name || !this.panes[0].has(choice.name)) return;
    const before = this.panes[0].name;
    this.panes[0].name = choice.name;
    this.screen.chosen(0, before);
  }

  #swap() {
    const [a, b] = this.panes;
    [a.name, b.name] = [b.name, a.name];
    this.#modelsChosen();
  }

  #modelsChosen() {
    remember("sessionStorage", CHOICE_KEY, JSON.stringify(this.panes.map((pane) => pane.name)));
    // What was found belongs to two other checkpoints.
    for (const entry of this.list.entries) {
      entry.reply = entry.share = entry.error = null;
      this.list.update(entry);
    }
    this.#run(false);
    if (!this.list.current) return;
    // Until the answer comes, masks of one checkpoint must not stand under the name of another.
    this.screen.clear("");
    this.#choose(this.list.current);
  }

  // Pictures come from files, samples and datasets.

  #pasted(event) {
    if (!this.element.offsetParent) return;
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (files.length) this.#filesChosen(files);
  }

  #filesChosen(files) {
    const { pictures, masks } = sortFiles(files, this.list.entries.map((entry) => entry.name));
    for (const { file, picture } of masks) {
      const entry = this.list.entries.find((other) => other.name === picture);
      Object.assign(entry, { mask: file, reference: null, reply: null, share: null });
      this.list.update(entry);
    }
    const added = pictures.map(({ file, mask }) => ({ name: file.name, file, mask, source: null }));
    this.#add(added, added[0] ?? this.list.current);
  }

  #sampleChosen({ name }) {
    const known = this.list.entries.find((entry) => sampleOf(entry) === name);
    if (known) return this.#choose(known);
    const entry = { name, source: { kind: "sample", name }, reference: { kind: "own" } };
    this.#add([entry], entry);
  }

  #listSamples(samples) {
    const list = sampleList(samples, (sample) => this.#sampleChosen(sample));
    this.samples.replaceChildren(el("h2", { text: t("compare.samplesTitle") }), list);
    markSample(this.samples, this.list.current);
    this.element.dataset.samples = String(samples.length);
  }

  #listDatasets(datasets) {
    const options = Object.entries(datasets).flatMap(([name, splits]) =>
      Object.entries(splits).map(([split, count]) => [
        JSON.stringify([name, split]), t("compare.datasetOption", { name, split, count }),
      ]));
    this.datasets.hidden = options.length === 0;
    const before = this.datasets.querySelector("select");
    if (before) return fill(before, options);
    const look = () => this.#choices();
    const select = el("select", {
      "aria-label": t("compare.datasetChoice"), onpointerdown: look, onfocus: look,
    });
    fill(select, options);
    const add = el("button", {
      type: "button", class: "sr-tool", text: t("compare.addDataset"),
      onclick: () => this.#datasetChosen(...JSON.parse(select.value)),
    });
    this.datasets.replaceChildren(el("h2", { text: t("compare.datasetTitle") }), select, add);
  }

  async #datasetChosen(dataset, split) {
    try {
      const { stems, total } = await this.asker.ask({ action: "pictures", dataset, split });
      const added = stems.map((stem) => ({
        name: stem, source: { kind: "dataset", dataset, split, stem }, reference: { kind: "own" },
      }));
      this.#add(added, added[0]);
      if (total > stems.length) this.screen.warn([t("compare.listed", { listed: stems.length, total })]);
    } catch (error) {
      this.screen.fail(error.message);
    }
  }

  // A picture that is listed already would count twice.
  #add(entries, chosen) {
    const known = new Map(this.list.entries.map((entry) => [keyOf(entry), entry]));
    const fresh = [];
    for (const entry of entries) {
      if (known.has(keyOf(entry))) continue;
      known.set(keyOf(entry), entry);
      fresh.push(entry);
    }
    this.list.add(fresh);
    if (chosen) this.#choose(known.get(keyOf(chosen)));
  }

  #remember() {
    keep(KEPT_KEY, this.list.entries, this.list.current);
  }

  #remove(entry) {
    const next = this.list.neighbour(1) ?? this.list.neighbour(-1);
    this.list.remove(entry);
    this.#remember();
    if (entry !== this.list.current) return;
    if (next) this.#choose(next);
    else this.#clear();
  }

  #clear() {
    this.turn++;
    this.#run(false);
    this.list.clear();
    this.#remember();
    this.#cleared();
    this.#ready("start");
  }

  #stepped(direction) {
    const next = this.list.neighbour(direction);
    if (next) this.#choose(next);
    return this.list.entries.length > 1;
  }

  // One comparison at a time: first the picture that somebody looks at, then all others.

  #choose(entry) {
    this.turn++;
    this.list.select(entry);
    markSample(this.samples, entry);
    this.#remember();
    if (entry.reply?.files) this.#show(entry, this.turn);
    else this.#pump();
  }

  #run(running) {
    this.list.setRunning(running);
    if (!running) return;
    for (const entry of this.list.entries) entry.error = null;
    this.#pump();
  }

  async #pump() {
    if (this.pumping) return;
    this.pumping = true;
    for (let next; (next = this.#next());) await this.#compare(next);
    this.pumping = false;
    if (this.list.running) this.list.setRunning(false);
  }

  #next() {
    const { current, running } = this.list;
    if (current && !current.reply?.files && this.asked !== this.turn) return current;
    return running ? this.#open()[0] ?? null : null;
  }

  #open() {
    return this.list.entries.filter((entry) => !entry.reply && !entry.error);
  }

  async #compare(entry) {
    const { turn } = this;
    const looked = entry === this.list.current && this.asked !== turn;
    if (looked) this.asked = turn;
    const wanted = () => looked && turn === this.turn;
    const progress = looked ? this.#progress(entry, wanted) : null;
    try {
      if (this.few === 0) throw new Error(this.#tooFew());
      await uploadFiles(entry, this.upload);
      this.#remember();
      const models = this.screen.models;
      const { source, reference, mask } = entry;
      const [first, second] = models;
      const asked = { action: "compare", first, second, source, reference, numbers: !looked };
      const reply = await this.asker.ask(asked, (ahead) => progress?.wait(ahead));
      if (models.join("\n") !== this.screen.models.join("\n")) return;
      if (entry.mask !== mask) {
        // A mask came meanwhile, which the answer knows nothing of.
        if (looked) this.asked = null;
        return;
      }
      this.#keep(entry, reply);
      // Chosen once more, or left and come back to, it is still the picture that is looked at.
      if (looked && entry === this.list.current) await this.#show(entry, this.turn);
      else this.#updateTable();
    } catch (error) {
      // Uploads expire on the server, while the browser still has the files.
      if (error.reply?.gone && entry.file && !entry.sentAgain) {
        forgetUploads(entry);
        if (looked) this.asked = null;
      } else this.#compareFailed(entry, error, wanted());
    } finally {
      progress?.stop();
    }
    if (this.list.running) {
      const total = this.list.entries.length;
      this.screen.say(t("compare.progress", { done: total - this.#open().length, total }));
    }
  }

  #compareFailed(entry, error, wanted) {
    entry.error = error.message;
    this.list.update(entry);
    if (wanted) this.#failed(error.message);
    // Not this picture but the server fails: all others would wait for nothing.
    if (!error.reply && !(error instanceof FileError)) {
      this.#run(false);
      this.screen.fail(error.message);
    }
  }

  // While all are compared: the sums grow, and from the second picture on there are sums at all.
  #updateTable() {
    const replies = this.#replies();
    const { current } = this.list;
    const due = this.screen.scope === "all" || replies.length === 2 || this.#open().length === 0;
    if (current?.reply?.files && due) this.screen.table(current, replies);
  }

  #keep(entry, reply) {
    const { width, height } = reply.image;
    entry.reply = reply;
    entry.error = null;
    entry.sentAgain = false;
    entry.share = 1 - reply.codes[0].pixels / (width * height);
    this.list.update(entry);
    // What a checkpoint found that was replaced meanwhile must not be added up with this.
    for (const other of this.list.entries) {
      if (!other.reply || String(other.reply.weights) === String(reply.weights)) continue;
      other.reply = other.share = null;
      this.list.update(other);
    }
  }

  // A large picture takes its time; the seconds show that something goes on.
  #progress({ name }, wanted) {
    const begun = Date.now();
    let before = 0;
    const tell = () => {
      const seconds = Math.round((Date.now() - begun) / 1000);
      const text = before ? t("compare.waitingFor", { ahead: before })
        : t("compare.comparing", { name, seconds });
      if (wanted()) this.screen.say(text);
    };
    this.element.classList.add("sr-busy");
    tell();
    const ticking = setInterval(tell, 1000);
    return {
      wait: (ahead) => {
        before = ahead;
        tell();
      },
      stop: () => clearInterval(ticking),
    };
  }

  async #show(entry, turn) {
    try {
      const shown = await this.screen.show(entry.reply);
      if (!shown || turn !== this.turn) return;
    } catch (error) {
      if (turn !== this.turn) return;
      // The server has forgotten the files of an earlier look: compare anew, but once.
      entry.reply = null;
      if (this.asked !== turn) return this.#pump();
      return this.#failed(error.message);
    }
    this.screen.table(entry, this.#replies());
    requestAnimationFrame(() => requestAnimationFrame(() => this.#ready(`shown-${turn}`)));
  }

  #replies() {
    return this.list.entries.filter((entry) => entry.reply).map((entry) => entry.reply);
  }

  #inspect(side) {
    const { current } = this.list;
    if (!current?.source) return;
    const { name, source, reference = null } = current;
    document.dispatchEvent(new CustomEvent("segnet-res:open", {
      detail: {
        pictures: [{ name, source, reference }], index: 0, mode: "Overlay", model: this.screen.models[side],
      },
    }));
  }

  #cleared() {
    this.screen.clear("");
    this.screen.viewers[0].tell(t("compare.start"));
    markSample(this.samples, null);
    this.screen.fail(this.#tooFew());
  }

  // No result: old masks beside a new error would be read as its masks.
  #failed(sentence) {
    this.screen.clear(t("compare.noResult"));
    this.screen.fail(sentence);
    this.#ready(`failed-${this.turn}`);
  }

  #ready(token) {
    this.element.classList.remove("sr-busy");
    this.element.dataset.ready = token;
  }
}

// What a picture of the list is known by.
function keyOf({ file, source }) {
  return file ? Entry.keyOf(file) : JSON.stringify(source);
}
