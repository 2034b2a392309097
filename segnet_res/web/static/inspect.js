// The Inspect tab: puts the columns together and talks to the server.

import { el, fileUrl } from "./dom.js";
import { Findings } from "./findings.js";
import { DropBox, acceptDrops, markSample, sampleList } from "./sources.js";
import { Viewer } from "./viewer.js";

// The server's own limit; asked here too, because an upload of half a gigabyte takes its time.
const MAX_BYTES = 512 * 2 ** 20;

// After how many seconds without a reply the server is asked whether it is still there.
const WATCH_SECONDS = 5;

const START = "Drop a picture here, paste one, or pick a sample.";

export function start(parts) {
  new InspectTab(parts);
}

class InspectTab {
  constructor({ element, value, onValue, send, upload }) {
    this.element = element;
    this.send = send;
    this.upload = upload;
    // Counts requests; replies to any but the latest are dropped.
    this.request = 0;
    this.model = null;
    this.source = null; // {sample} or {image: path, name}
    this.reference = null; // {path, name} or {sample: true}
    this.viewer = new Viewer();
    this.findings = new Findings((index, visible) => this.viewer.setVisible(index, visible));
    this.#build();
    this.viewer.clear(START);
    document.addEventListener("segnet-res:model", (event) => this.#modelChosen(event.detail));
    document.addEventListener("paste", (event) => this.#pasted(event));
    // The header may have announced its choice before this script had arrived.
    this.#modelChosen(window.segnetResModel);
    const receive = () => this.#received(value());
    onValue(receive);
    receive();
  }

  #build() {
    this.imageBox = new DropBox({
      id: "sr-image", title: "1 · Picture", hint: "Drop, paste or choose a picture",
      iconName: "upload", onFile: (file) => this.#pictureChosen(file),
      onClear: () => this.#pictureRemoved(),
    });
    this.referenceBox = new DropBox({
      id: "sr-reference", title: "2 · Reference (optional)",
      hint: "Mask of the picture's size: class indices or colours",
      iconName: "mask", onFile: (file) => this.#referenceChosen(file),
      onClear: () => this.#referenceRemoved(),
    });
    this.samples = el("div", { class: "sr-sample-box" });
    this.alert = el("div", { class: "sr-alert", role: "alert", hidden: true });
    this.warnings = el("div", { class: "sr-warnings", role: "status" });
    this.status = el("div", { class: "sr-status", role: "status", "aria-live": "polite" });
    acceptDrops(this.viewer.stage, (file) => this.#pictureChosen(file));
    this.element.classList.add("sr-inspect");
    this.element.replaceChildren(
      el("aside", { class: "sr-left", "aria-label": "Picture and reference" },
        this.imageBox.node, this.referenceBox.node, this.samples),
      el("div", { class: "sr-centre" }, this.alert, this.warnings, this.viewer.node, this.status),
      el("aside", { class: "sr-right", "aria-label": "Findings" }, this.findings.node),
    );
    this.#ready("start");
  }

  #modelChosen(choice) {
    if (!choice) return;
    this.model = choice.name;
    if (this.source) this.#inspect();
    else if (!this.model) this.#fail(choice.reason);
    else this.#fail(null);
  }

  #pasted(event) {
    if (!this.element.offsetParent) return;
    const file = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
    if (file) this.#pictureChosen(file);
  }

  async #pictureChosen(file) {
    // Reference and verdict belong to the picture before.
    this.#forget();
    this.imageBox.set(file.name);
    const number = ++this.request;
    const path = await this.#uploaded(file, number);
    if (path === null || number !== this.request) return;
    this.source = { image: path, name: file.name };
    this.#inspect();
  }

  #sampleChosen(sample) {
    this.#forget();
    this.source = { sample: sample.name };
    this.reference = { sample: true };
    markSample(this.samples, sample.name);
    this.#inspect();
  }

  async #referenceChosen(file) {
    this.referenceBox.set(file.name);
    const number = ++this.request;
    const path = await this.#uploaded(file, number);
    if (path === null || number !== this.request) return;
    this.reference = { path, name: file.name };
    if (this.source) this.#inspect();
    else this.#say("Now choose the picture that this mask belongs to.");
  }

  #pictureRemoved() {
    this.request++;
    this.#forget();
    this.viewer.clear(START);
    this.#ready("start");
  }

  #referenceRemoved() {
    this.reference = null;
    this.referenceBox.clear();
    if (this.source) this.#inspect();
  }

  #forget() {
    this.source = this.reference = null;
    this.imageBox.clear();
    this.referenceBox.clear();
    this.findings.clear();
    markSample(this.samples, null);
    this.#fail(null);
    this.#warn([]);
    this.#say("");
  }

  async #uploaded(file, number) {
    if (file.size > MAX_BYTES) {
      this.#failed(`${file.name} has ${Math.round(file.size / 2 ** 20)} MB, the page takes up to `
        + "512; cut the picture into parts, or use segnet-res predict");
      return null;
    }
    this.#busy(`Uploading ${file.name}`);
    try {
      return (await this.upload(file)).path;
    } catch (error) {
      if (number === this.request) {
        this.#failed(`${file.name} could not be uploaded (${error?.message ?? error}); `
          + "check that the page's server still runs, and try again");
      }
      return null;
    }
  }

  #inspect() {
    const { source, reference } = this;
    if (!this.model) return this.#failed(window.segnetResModel?.reason ?? "Choose a checkpoint.");
    this.#busy("Inspecting");
    this.send.inspect({
      request: ++this.request,
      model: this.model,
      sample: source.sample ?? null,
      image: source.image ?? null,
      reference: reference?.path ?? null,
      sample_reference: reference?.sample === true,
    });
    this.#watch(this.request);
  }

  // A server that has gone never replies: without this the page would wait for ever.
  async #watch(number) {
    const waiting = () => number === this.request && this.element.classList.contains("sr-busy");
    let silent = 0;
    for (let seconds = 1; silent < 2; seconds++) {
      await new Promise((done) => setTimeout(done, 1000));
      if (!waiting()) return;
      // A large picture takes its time; the seconds show that something goes on.
      this.#say(`Inspecting … ${seconds} s`);
      if (seconds % WATCH_SECONDS > 0) continue;
      const there = await fetch(new URL("page/dom.js", document.baseURI), { cache: "no-store" })
        .then((answer) => answer.ok, () => false);
      silent = there ? 0 : silent + 1;
    }
    if (waiting()) this.#failed("The page's server does not answer; start it again and reload this page");
  }

  async #received(value) {
    if (value?.kind === "samples") return this.#listSamples(value.samples);
    if (value?.kind !== "result" || value.request !== this.request) return;
    if (value.error) return this.#failed(value.error);
    try {
      await this.viewer.show(value, fileUrl);
    } catch (error) {
      return this.#failed(error.message);
    }
    if (value.request === this.request) this.#shown(value);
  }

  #shown(result) {
    const { image, reference, timings } = result;
    this.#fail(result.reference_error);
    this.#warn(result.warnings);
    const label = this.source.sample ? `sample: ${this.source.sample}` : this.source.name;
    this.imageBox.set(label, fileUrl(result.files.preview));
    if (reference) this.referenceBox.set(this.reference.name ?? "the sample's own mask");
    else if (this.reference?.sample) this.referenceBox.clear();
    this.findings.show(result, this.viewer.hidden);
    const stages = ["read", "wait", "model", "files", "metrics"];
    // Waiting is told when there was some: for others before, or for a model to load.
    const times = stages.filter((name) => name !== "wait" || timings[name] >= 20)
      .map((name) => `${name} ${timings[name] ?? 0} ms`);
    const reduced = result.step > 1 ? ` · every ${result.step}th pixel of the mask is shown` : "";
    this.#say([`${image.width}×${image.height} px`, ...times].join(" · ") + reduced);
    this.element.classList.remove("sr-busy");
    this.viewer.tell("");
    // The token changes once the result is on the screen.
    requestAnimationFrame(() => requestAnimationFrame(() => this.#ready(result.request)));
  }

  // No result: an old verdict beside a new error would be read as its verdict.
  #failed(sentence) {
    this.findings.clear();
    this.viewer.clear("No result");
    this.#warn([]);
    this.#say("");
    this.#fail(sentence);
    this.#ready(`failed-${this.request}`);
  }

  #fail(sentence) {
    this.alert.textContent = sentence ?? "";
    this.alert.hidden = !sentence;
  }

  #warn(sentences) {
    this.warnings.replaceChildren(...sentences.map((text) => el("p", { text })));
  }

  #say(text) {
    this.status.textContent = text;
  }

  #busy(text) {
    this.element.classList.add("sr-busy");
    this.#say(`${text} …`);
  }

  #ready(token) {
    this.element.classList.remove("sr-busy");
    this.element.dataset.ready = String(token);
  }

  #listSamples(samples) {
    const list = sampleList(samples, (sample) => this.#sampleChosen(sample));
    this.samples.replaceChildren(el("h2", { text: "Samples with exact masks" }), list);
    this.element.dataset.samples = String(samples.length);
  }
}
