// The Inspect tab: puts the columns together, and keeps pictures, results and questions in step.

import { el, fileUrl } from "./dom.js";
import { Entry } from "./entries.js";
import { Findings } from "./findings.js";
import { InspectServer } from "./inspect-server.js";
import { JudgeControls } from "./judge.js";
import { keep, kept } from "./kept.js";
import { Messages, waitingText } from "./messages.js";
import { sortFiles } from "./pairing.js";
import { DropBox, acceptDrops, keepPage, markSample, sampleList, sampleOf } from "./sources.js";
import { FilmStrip } from "./strip.js";
import { openTab, tabButton } from "./tabs.js";
import { t } from "./texts.js";
import { Viewer } from "./viewer.js";

// More than somebody steps through; the Batch tab takes thousands.
const MAX_PICTURES = 300;

// Other pictures are judged anew when a slider has come to rest.
const REST_MS = 400;

const KEPT_KEY = "segnet-res:inspected";

export function start(parts) {
  new InspectTab(parts);
}

class InspectTab {
  constructor({ element, value, onValue, send, upload }) {
    this.element = element;
    this.model = null;
    this.entries = [];
    this.current = null;
    // That the strip was too full; it stays beside the picture that was chosen instead.
    this.leftOut = null;
    this.inspecting = this.refining = null;
    // Counts what was shown: the page's state for whoever waits for it.
    this.shown = 0;
    this.changed = 0;
    this.server = new InspectServer({ value, onValue, send, upload });
    this.messages = new Messages();
    this.#build();
    this.viewer.clear(t("inspect.start"));
    document.addEventListener("segnet-res:model", (event) => this.#modelChosen(event.detail));
    document.addEventListener("segnet-res:open", (event) => this.#opened(event.detail));
    document.addEventListener("paste", (event) => this.#pasted(event));
    keepPage();
    // The header may have announced its choice before this script had arrived.
    this.#modelChosen(window.segnetResModel);
    const { pictures, index } = kept(KEPT_KEY);
    if (pictures.length) this.#add(pictures.map((picture) => new Entry(picture)), index);
    const receive = () => {
      if (value()?.kind === "samples") this.#listSamples(value().samples);
    };
    onValue(receive);
    receive();
  }

  #build() {
    this.viewer = new Viewer();
    this.viewer.onStep = (direction) => this.#step(direction);
    this.viewer.onUnsure = (result) => this.#unsure(result);
    this.judge = new JudgeControls({ onChange: () => this.#judgeChanged() });
    this.findings = new Findings({
      judge: this.judge,
      onToggle: (index, visible) => this.viewer.setVisible(index, visible),
      onLook: (box) => this.viewer.lookAt(box),
      onDownload: (kind) => this.#download(kind),
      onCorrect: () => this.#correct(),
    });
    this.strip = new FilmStrip({
      onSelect: (entry) => this.#select(entry),
      onRemove: (entry) => this.#remove(entry),
      onClear: () => this.#removeAll(),
    });
    this.imageBox = new DropBox({
      id: "sr-image", title: t("inspect.picture"), hint: t("inspect.pictureHint"), iconName: "upload",
      multiple: true, onFiles: (files) => this.#dropped(files),
      onClear: () => this.current && this.#remove(this.current),
      onError: (sentence) => this.messages.fail(sentence),
    });
    this.referenceBox = new DropBox({
      id: "sr-reference", title: t("inspect.reference"), hint: t("inspect.referenceHint"),
      iconName: "mask", onFiles: ([file]) => this.#referenceChosen(file),
      onClear: () => this.#setReference(null), onError: (sentence) => this.messages.fail(sentence),
    });
    this.own = el("button", {
      type: "button", class: "sr-tool sr-own", text: t("inspect.useOwn"), hidden: true,
      onclick: () => this.#setReference({ kind: "own" }),
    });
    this.referenceBox.node.append(this.own);
    this.samples = el("div", { class: "sr-sample-box" });
    const { alert, warnings, status, aloud } = this.messages;
    this.element.classList.add("sr-inspect");
    this.element.replaceChildren(
      el("aside", { class: "sr-left", "aria-label": t("inspect.left") },
        this.imageBox.node, this.referenceBox.node, this.samples),
      el("div", { class: "sr-centre" }, alert, warnings, this.viewer.node, this.strip.node, status,
        aloud),
      el("aside", { class: "sr-right", "aria-label": t("inspect.right") }, this.findings.node),
    );
    acceptDrops(this.element, (files) => this.#dropped(files),
      (sentence) => this.messages.fail(sentence));
    this.#ready("start");
  }

  // What comes in

  #modelChosen(choice) {
    if (!choice) return;
    this.model = choice.name;
    this.#tellStrip();
    if (this.current) this.#display();
    else this.messages.fail(this.model ? null : choice.reason);
    this.#work();
  }

  #pasted(event) {
    if (!this.element.offsetParent) return;
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) this.#dropped(files);
  }

  async #dropped(files) {
    const specs = files.filter((file) => /\.ya?ml$/i.test(file.name));
    if (specs.length) await this.judge.takeSpec(specs[0]);
    const rest = files.filter((file) => !specs.includes(file));
    if (!rest.length) return;
    const { pictures, masks } = sortFiles(rest, this.entries.map((entry) => entry.name));
    for (const { file, picture } of masks) {
      const entry = this.entries.find((other) => other.name === picture);
      entry.setReference({ file, name: file.name });
    }
    if (masks.length && !pictures.length) {
      const entry = this.entries.find((other) => other.name === masks[0].picture);
      return this.#select(entry);
    }
    this.#add(pictures.map(({ file, mask }) => new Entry({
      file, name: file.name, reference: mask && { file: mask, name: mask.name },
    })));
  }

  #sampleChosen(sample) {
    const source = { kind: "sample", name: sample.name };
    const name = t("inspect.sample", { name: sample.name });
    this.#add([new Entry({ source, name, reference: { kind: "own" } })]);
  }

  // Another tab opens pictures here: {pictures: [{source, reference, name}], index, mode, model}.
  #opened({ pictures, index = 0, mode = null, model = null }) {
    openTab("inspect");
    const entries = pictures.map(({ source, reference = null, name = null }) => new Entry({
      source, reference, name: name ?? source.stem ?? source.file ?? source.name ?? "", lazy: true,
    }));
    const own = this.entries.filter((entry) => !entry.lazy);
    const there = own.some((entry) => entry.key === entries[index]?.key);
    if (own.length >= MAX_PICTURES && !there) return this.#tellLeftOut(true);
    if (model) chooseModel(model);
    for (const entry of this.entries.filter((other) => other.lazy)) this.#remove(entry);
    this.#add(entries, index);
    if (mode) this.viewer.setMode(mode);
  }

  // New pictures join the strip; one that is there already is shown again, with the reference that
  // it brings along: that of an earlier look might belong to another part. Where there is not room
  // for all, those around the one at `index` come in, for that one is wanted.
  #add(entries, index = 0) {
    const known = new Map(this.entries.map((entry) => [entry.key, entry]));
    const fresh = new Map();
    for (const entry of entries) {
      const same = known.get(entry.key) ?? fresh.get(entry.key);
      if (!same) fresh.set(entry.key, entry);
      else {
        same.setReference(entry.reference);
        same.failed = null;
        // Picture or checkpoint may have changed: choosing it again is how it is inspected again.
        same.results.clear();
      }
    }
    const wanted = (entries[index] ?? entries[0])?.key;
    const at = [...fresh.keys()].indexOf(wanted);
    const coming = around([...fresh.values()], at, MAX_PICTURES - this.entries.length);
    for (const entry of coming) {
      known.set(entry.key, entry);
      this.entries.push(entry);
      this.strip.add(entry);
    }
    if (known.has(wanted)) this.#select(known.get(wanted));
    this.#tellLeftOut(coming.length < fresh.size);
    this.#tellStrip();
    this.#work();
  }

  #tellLeftOut(leftOut) {
    this.leftOut = leftOut ? t("inspect.tooMany", { most: MAX_PICTURES }) : null;
    if (leftOut) this.messages.fail(this.leftOut);
  }

  #referenceChosen(file) {
    if (this.current) return this.#setReference({ file, name: file.name });
    this.messages.say(t("inspect.pictureFirst"));
  }

  #setReference(reference) {
    if (!this.current) return;
    this.current.setReference(reference);
    this.#tellReference();
    this.#work();
  }

  #judgeChanged() {
    this.changed = performance.now();
    setTimeout(() => this.#work(), REST_MS + 10);
    this.#work();
  }

  // The strip

  #step(direction) {
    if (this.entries.length < 2) return false;
    const next = this.entries[this.entries.indexOf(this.current) + direction];
    if (next) this.#select(next);
    return true;
  }

  #select(entry) {
    this.leftOut = null;
    this.current = entry;
    this.#remember();
    this.strip.select(entry);
    markSample(this.samples, entry);
    this.#display();
    this.#work();
  }

  #remove(entry) {
    const at = this.entries.indexOf(entry);
    this.entries.splice(at, 1);
    this.strip.remove(entry);
    this.#tellStrip();
    if (entry !== this.current) return;
    const next = this.entries[at] ?? this.entries[at - 1];
    if (next) return this.#select(next);
    this.current = this.leftOut = null;
    markSample(this.samples, null);
    this.#forget(t("inspect.start"));
    this.imageBox.clear();
    this.#tellReference();
    this.#ready("start");
  }

  #removeAll() {
    // The one that is seen goes last: removing it selects a neighbour.
    for (const entry of this.entries.filter((other) => other !== this.current)) this.#remove(entry);
    if (this.current) this.#remove(this.current);
  }

  #remember() {
    keep(KEPT_KEY, this.entries, this.current);
  }

  #tellStrip() {
    this.#remember();
    for (const entry of this.entries) {
      this.strip.show(entry, entry.shown(this.model), entry.result(this.model)?.files.thumb);
    }
    const open = this.entries.filter((entry) => entry.working
      || (entry.isOpen(this.model) && !entry.lazy)).length;
    this.element.dataset.open = String(open);
  }

  // Work: one inspection and one refinement at a time, what is seen first

  #work() {
    this.#inspectNext();
    this.#refineNext();
  }

  #inOrder() {
    const at = Math.max(0, this.entries.indexOf(this.current));
    return [...this.entries.slice(at), ...this.entries.slice(0, at)];
  }

  async #inspectNext() {
    const { model } = this;
    if (this.inspecting || !model) return;
    // Of a set that another tab has opened only the next picture is looked at ahead.
    const [entry, next] = this.#inOrder().filter((other, i) => other.isOpen(model)
      && (i < 2 || !other.lazy));
    if (!entry) return;
    this.inspecting = entry;
    entry.working = true;
    this.#tellStrip();
    if (entry === this.current) this.#busy();
    const judgement = this.judge.fields();
    try {
      const found = this.server.inspect(entry, model, judgement, (ahead) => {
        this.ahead = ahead;
      });
      // The next file travels while the server works on this one.
      if (next) this.server.uploaded(entry).then(() => this.server.uploaded(next)).catch(() => {});
      const result = await found;
      this.#forgetOthers(model, result.reply.weights);
      entry.results.set(model, result);
      entry.failed = null;
      entry.sentAgain = false;
    } catch (error) {
      // Without its reference the entry is still open, and says why.
      if (error.reply?.gone && entry.file && !entry.sentAgain) entry.sendAgain();
      else if (!error.reference) entry.failed = { model, sentence: error.message };
    }
    this.inspecting = null;
    this.ahead = 0;
    entry.working = false;
    this.#tellStrip();
    if (entry === this.current && model === this.model) this.#display();
    this.#work();
  }

  // Another file has taken the checkpoint's place: what the one before found is no longer its own.
  #forgetOthers(model, weights) {
    for (const { results } of this.entries) {
      if (results.has(model) && results.get(model).reply.weights !== weights) results.delete(model);
    }
  }

  async #refineNext() {
    const { model } = this;
    if (this.refining || !model) return;
    const judgement = this.judge.fields();
    const rested = performance.now() - this.changed > REST_MS;
    const entry = this.#inOrder().find((other) => other.isStale(model, judgement)
      && (rested || other === this.current));
    if (!entry) return;
    this.refining = entry;
    const known = entry.results.get(model);
    if (entry === this.current) this.element.classList.add("sr-busy");
    try {
      Object.assign(known, await this.server.refine(entry, known.reply, judgement));
    } catch (error) {
      // A result that the server has forgotten is made again; a reference that could not be
      // uploaded is left out, anything else is told in place of the result.
      if (!error.reference) entry.results.delete(model);
      if (!error.reference && !error.reply?.gone) entry.failed = { model, sentence: error.message };
    }
    this.refining = null;
    this.#tellStrip();
    if (entry === this.current && model === this.model) this.#display();
    this.#work();
  }

  async #unsure(result) {
    const reply = await this.server.unsure(result, (ahead) => this.viewer.tell(waitingText(ahead)));
    for (const entry of this.entries) {
      for (const { reply: known } of entry.results.values()) {
        if (known.result === reply.result) known.files.unsure = reply.file;
      }
    }
    return reply.file;
  }

  async #download(kind) {
    const result = this.current?.result(this.model);
    if (!result) return;
    const button = this.findings.downloads.querySelector(`[data-kind=${kind}]`);
    button.classList.add("sr-working");
    try {
      const reply = await this.server.download(this.current, result, kind, this.judge.fields());
      el("a", { href: fileUrl(reply.file), download: reply.name }).click();
    } catch (error) {
      this.messages.fail(error.message);
    } finally {
      button.classList.remove("sr-working");
    }
  }

  // Hand the pictures to the Annotate tab, which may not be there before somebody goes to it.
  #correct() {
    // What is corrected is what is seen, not what the sliders have taken back.
    const { threshold, min_region } = this.judge.fields();
    const sliders = { threshold, min_region };
    const detail = {
      pictures: this.entries.map(({ source, name, file }) => ({ source, name, file, sliders })),
      index: this.entries.indexOf(this.current), model: this.model,
    };
    window.segnetResAnnotate = detail;
    openTab("annotate");
    document.dispatchEvent(new CustomEvent("segnet-res:annotate", { detail }));
  }

  // What is seen

  // Show what is known of the current picture; what is not known yet clears what was seen before,
  // because a verdict beside another picture would be read as its verdict.
  async #display() {
    const { current: entry, model } = this;
    const result = entry.result(model);
    this.#tellReference();
    this.#tellPicture();
    if (entry.failed?.model === model) return this.#failed(entry.failed.sentence);
    if (!model) return this.#failed(window.segnetResModel?.reason ?? "");
    if (!result) {
      this.#forget("");
      return this.#busy();
    }
    // The verdict of other limits, or with another reference: wait for the right one.
    if (entry.isStale(model, this.judge.fields())) {
      if (this.seen !== entry) this.#forget("");
      this.element.classList.add("sr-busy");
      return;
    }
    try {
      if (!(await this.viewer.show(result, fileUrl)) || entry !== this.current) return;
    } catch (error) {
      // Swept away on the server: once is bad luck, twice needs a person.
      if (entry !== this.current) return;
      if (entry.lost) return this.#failed(error.message);
      entry.lost = true;
      entry.results.delete(model);
      return this.#work();
    }
    entry.lost = false;
    if (entry.isStale(model, this.judge.fields())) return;
    this.#shown(entry, result);
  }

  #shown(entry, result) {
    this.seen = entry;
    this.messages.fail(result.reference_error ?? entry.notice ?? this.leftOut);
    this.messages.warn(result.warnings);
    this.findings.show(result, this.viewer.hidden, tabButton("annotate") !== null);
    this.messages.summarize(result);
    this.element.classList.remove("sr-busy");
    // The token changes once the result is on the screen.
    const token = ++this.shown;
    requestAnimationFrame(() => requestAnimationFrame(() => this.#ready(token)));
  }

  #tellPicture() {
    const { current: entry } = this;
    const thumbnail = entry.result(this.model)?.files.thumb;
    this.imageBox.set(entry.name, thumbnail ? fileUrl(thumbnail) : null);
  }

  #tellReference() {
    const entry = this.current;
    const reference = entry?.reference ?? null;
    const unusable = Boolean(entry?.result(this.model)?.reference_error);
    if (!reference) this.referenceBox.clear();
    else this.referenceBox.set(reference.kind === "own" ? t("inspect.ownMask") : reference.name);
    this.referenceBox.node.classList.toggle("sr-unusable", Boolean(reference) && unusable);
    const own = entry?.result(this.model)?.own_mask || sampleOf(entry) !== null;
    this.own.hidden = !own || reference?.kind === "own";
  }

  #forget(text) {
    this.seen = null;
    this.findings.clear();
    this.viewer.clear(text);
    this.messages.warn([]);
    this.messages.fail(this.leftOut);
    this.messages.say("");
  }

  // No result: an old verdict beside a new error would be read as its verdict.
  #failed(sentence) {
    this.#forget(t("inspect.noResult"));
    this.messages.fail([this.leftOut, sentence].filter(Boolean).join(". "));
    this.#ready(`failed-${++this.shown}`);
  }

  #busy() {
    this.element.classList.add("sr-busy");
    const { current: entry, model } = this;
    this.messages.count(entry.name, {
      ahead: () => this.ahead,
      still: () => entry === this.current && model === this.model && entry.isOpen(model),
    });
  }

  #ready(token) {
    this.element.classList.remove("sr-busy");
    this.element.dataset.ready = String(token);
  }

  #listSamples(samples) {
    const list = sampleList(samples, (sample) => this.#sampleChosen(sample));
    this.samples.replaceChildren(el("h2", { text: t("inspect.samples") }), list);
    markSample(this.samples, this.current);
    this.element.dataset.samples = String(samples.length);
  }
}

// So many of a list that there is room for, and among them the one at `index`.
function around(list, index, room) {
  const first = Math.min(index - Math.floor(room / 2), list.length - room);
  return list.slice(Math.max(0, first), Math.max(0, first) + room);
}

function chooseModel(name) {
  const select = document.getElementById("sr-model");
  if (select.value === name || ![...select.options].some((option) => option.value === name)) return;
  select.value = name;
  select.dispatchEvent(new Event("change"));
}
