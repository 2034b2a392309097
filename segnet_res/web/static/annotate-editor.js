// The editor of masks: the canvas viewer with tools that change labels. It asks no server; who uses
// it opens a picture with its labels and takes them out again as an array or a file.

import { ClassList } from "./annotate-editor-classes.js";
import { listenFor } from "./annotate-editor-input.js";
import { EDITOR_KEYS } from "./annotate-editor-keys.js";
import { Mask } from "./annotate-editor-mask.js";
import { Overlay, paintAccepted } from "./annotate-editor-overlay.js";
import { Panel } from "./annotate-editor-panel.js";
import { Regions } from "./annotate-editor-regions.js";
import { Review } from "./annotate-editor-review.js";
import { History } from "./annotate-history.js";
import { makeTools } from "./annotate-tools.js";
import { el } from "./dom.js";
import { asFile, levelsOf, loadLabels } from "./masks.js";
import { t } from "./texts.js";
import { Viewer } from "./viewer.js";

const VIEWS = ["Overlay", "Image", "Mask", "Outline"];
const LARGEST = 200;
const IGNORE_COLOR = "#f8fafc";

// Tools for which it does not matter which class is chosen.
const CLASSLESS = ["eraser", "accept", "delete", "hand"];

export class Editor {
  // onChange(editor): after each change of the mask or of what is accepted, undo and redo
  // onMessage(sentence): what people should know; the editor shows it too
  constructor({ onChange = null, onMessage = null } = {}) {
    Object.assign(this, { onChange, onMessage });
    this.mask = this.regions = null;
    // Counts what was opened: a late one is dropped.
    this.turn = 0;
    this.busy = this.held = false;
    this.size = 12;
    this.history = new History();
    this.saved();
    this.viewer = new Viewer({
      views: VIEWS, label: t("editor.canvas"), screen: () => this.node, keys: EDITOR_KEYS,
      input: listenFor(this),
    });
    this.viewer.onPaint = (context) => this.#painted(context);
    this.overlay = new Overlay(this.viewer);
    this.tools = makeTools(this);
    this.panel = new Panel({
      tool: (id) => this.setTool(id), size: (size) => this.setSize(size), undo: () => this.undo(),
      redo: () => this.redo(), focus: () => this.#focus(),
    }, LARGEST);
    this.classList = new ClassList({
      onChoose: (index) => this.setClass(index), focus: () => this.#focus(),
    });
    this.review = new Review({ next: () => this.nextRegion(), acceptRest: () => this.acceptRest() });
    this.node = this.#build();
    this.setTool("brush");
    this.close();
  }

  // Open a picture with its labels; resolves with whether it is on the screen: false when a later
  // call has overtaken it. Throws a sentence, and what was open stays, when that fails.
  //   image            {name, width, height}
  //   picture, full    addresses of the preview and of the whole picture (null: the preview is all)
  //   labels           address of an index PNG, or Uint8Array(width * height), which is copied
  //   classes          [{index, name, color}]
  //   ignore           the label of what cannot be judged, or null
  //   background       the label of the background, or null: then erasing means `ignore`
  //   proposal         the model's labels as `labels`, or null
  async open({ image, picture, full = null, labels, classes, ignore = null, background = null, proposal = null }) {
    const turn = ++this.turn;
    this.cancel();
    this.busy = true;
    try {
      const levels = await loadLevels(labels, image, background);
      // What is opened may be the proposal itself.
      const proposed = proposal === labels ? levels[0] : proposal && (await loadLevels(proposal, image))[0];
      if (turn !== this.turn) return false;
      const files = { preview: picture, full, shown: null };
      const all = withIgnore(classes, ignore);
      const shown = await this.viewer.show({
        image, step: 1, classes: all, background, ignore, hatched: ignore ?? -1, model: "",
        original: picture, files, levels,
      }, (url) => url);
      if (!shown || turn !== this.turn) return false;
      this.#take(levels, { classes: all, background, ignore, proposed });
      return true;
    } finally {
      if (turn === this.turn) this.busy = false;
    }
  }

  close() {
    this.turn++;
    this.cancel();
    this.#forget();
    this.busy = false;
    this.mask = this.regions = null;
    this.history.clear();
    this.saved();
    this.viewer.clear(t("editor.empty"));
    this.overlay.clear();
    this.classList.clear();
    this.#show();
  }

  // Other classes for the open picture, such as one more; no label changes.
  setClasses(classes) {
    if (!this.mask) return;
    this.classes = withIgnore(classes, this.ignore);
    this.viewer.result.classes = this.classes;
    this.classList.show(this.classes);
    this.setClass(this.#knows(this.label) ? this.label : this.classes[0].index, true);
    this.viewer.draw();
    this.#show();
  }

  // Uint8Array(width * height) that lives on: it changes with the next stroke. Null: nothing is open.
  get labels() {
    return this.mask?.labels ?? null;
  }

  // 8-bit grey PNG (Blob) of the labels, without a stroke that is being made: it may be cancelled.
  png() {
    if (!this.mask) return Promise.reject(new Error(t("editor.empty")));
    return asFile({ ...this.mask.plane, data: this.mask.before });
  }

  // Pixels that differ from what was opened.
  get changed() {
    return this.mask?.changed ?? 0;
  }

  // Share of the proposed regions that somebody has accepted, changed or deleted; 1 without any.
  get reviewed() {
    const { regions } = this;
    return regions?.count ? (regions.count - regions.left.length) / regions.count : 1;
  }

  // Whether the mask is another than when it was opened, or `saved`.
  get dirty() {
    return this.history.version !== this.clean;
  }

  saved() {
    this.clean = this.history.version;
  }

  // Whether there is something to work on.
  get ready() {
    return Boolean(this.mask) && !this.busy;
  }

  get panning() {
    return this.held || this.tool === this.tools.hand;
  }

  // What tools ask for.

  // Pixels of the screen for one of the picture.
  get scale() {
    return this.viewer.view.scale / (window.devicePixelRatio || 1);
  }

  get emptyLabel() {
    return this.background ?? this.ignore;
  }

  settle() {
    const box = this.mask.settle();
    if (box) this.viewer.drawPart(box);
  }

  commit() {
    const changes = this.mask.commit();
    if (!changes) return;
    this.history.add({ changes });
    if (this.regions?.follow(changes, false)) this.viewer.draw();
    this.#changed();
  }

  revert() {
    this.mask.revert();
    this.settle();
  }

  accept(column, row) {
    const id = this.regions.at(column, row);
    if (id === null) return this.tell("noProposal");
    if (this.regions.isReviewed(id)) return this.tell("reviewedAlready");
    this.#accept([id]);
  }

  drawShape(pointer) {
    this.overlay.drawShape(this.tools.polygon.corners, pointer);
  }

  tell(name) {
    const sentence = t(`editor.${name}`);
    this.panel.say(sentence);
    this.onMessage?.(sentence);
  }

  // What people ask for, by buttons and keys.

  undo() {
    if (!this.ready || this.pressing) return;
    if (this.tool.key("Backspace")) return;
    this.#again(this.history.undo(), true);
  }

  redo() {
    if (!this.ready || this.pressing) return;
    this.#again(this.history.redo(), false);
  }

  setTool(id) {
    if (!(id in this.tools)) throw new Error(`no tool is called ${id}`);
    if (this.mask && !this.#canUse(id)) return this.tell(id === "accept" ? "noProposals" : "noEmpty");
    if (this.tool !== this.tools[id]) {
      this.pressing = false;
      this.tool?.leave();
      this.tool = this.tools[id];
    }
    if (!CLASSLESS.includes(id)) this.painting = id;
    this.toolId = id;
    this.panel.choose(id);
    this.node.dataset.tool = id;
    this.overlay.brush(["brush", "eraser"].includes(id) ? this.size : null);
  }

  // Choose a class by its label; a tool for which it does not matter gives way to the last that paints.
  setClass(index, quiet = false) {
    if (index === null || !this.#knows(index)) return;
    this.label = index;
    this.classList.choose(index);
    if (!quiet && CLASSLESS.includes(this.toolId)) this.setTool(this.painting);
  }

  // The class of a number key: 1 is the first.
  chooseNumber(number) {
    const entry = this.classes[number - 1];
    if (entry && entry.index !== this.ignore) this.setClass(entry.index);
  }

  setSize(size) {
    this.size = Math.min(Math.max(Math.round(size), 1), LARGEST);
    this.panel.showSize(this.size);
    if (this.overlay.size !== null) this.overlay.brush(this.size);
  }

  // Larger steps for larger brushes.
  resizeBrush(direction) {
    this.setSize(this.size + direction * Math.max(1, Math.round(this.size / 10)));
  }

  nextRegion() {
    const left = this.regions?.left ?? [];
    if (left.length === 0) return this.tell(this.regions ? "allReviewed" : "noProposals");
    this.visited = left.find((id) => id > this.visited) ?? left[0];
    const { left: x, top: y, right, bottom } = this.regions.boxes[this.visited];
    this.viewer.lookAt({ x, y, width: right - x, height: bottom - y });
  }

  acceptRest() {
    const left = this.regions?.left ?? [];
    if (this.ready && left.length > 0) this.#accept(left);
  }

  nextView() {
    const { views, mode } = this.viewer;
    this.viewer.setMode(views[(views.indexOf(mode) + 1) % views.length]);
  }

  toggleProbe() {
    this.viewer.readout.toggleProbe();
    this.tell(this.viewer.readout.probing ? "probing" : "probingEnds");
  }

  // Space: the hand for as long as it is held.
  hold(held) {
    this.held = held;
    this.node.toggleAttribute("data-panning", held);
  }

  // What the pointer does, at points of the window.

  press(place, straight) {
    this.pressing = true;
    this.#focus();
    this.tool.down(this.#pointAt(place), straight);
  }

  point(place, places) {
    this.overlay.point(place);
    this.viewer.point(...(place ?? [null]));
    if (this.ready && places.length > 0) this.tool.move(places.map((one) => this.#pointAt(one)));
  }

  release(place) {
    if (!this.pressing) return;
    this.pressing = false;
    if (this.ready) this.tool.up(this.#pointAt(place));
  }

  double() {
    if (this.ready) this.tool.double();
  }

  cancel() {
    this.pressing = false;
    this.tool?.cancel();
  }

  // A click of the tool on the pixel in the middle of the window.
  pressAtProbe(straight) {
    const { width, height } = this.viewer.canvas;
    const pixel = this.viewer.pixelAt(width / 2, height / 2);
    if (!pixel) return;
    const point = pixel.map((value) => value + 0.5);
    this.tool.down(point, straight);
    this.tool.up(point);
  }

  toolKey(name) {
    return this.tool.key(name);
  }

  #take(levels, { classes, background, ignore, proposed }) {
    this.#forget();
    this.mask = new Mask(levels, background);
    // Labels change; those that were opened stay as they were.
    const plane = proposed === levels[0] ? { ...proposed, data: this.mask.opened } : proposed;
    this.regions = plane && new Regions(plane, [background, ignore]);
    this.regions?.compare(this.mask.labels);
    Object.assign(this, { background, ignore, classes, visited: -1 });
    this.history.clear();
    this.saved();
    this.classList.show(classes);
    // The first class beside the background is what people look for.
    const first = classes.find(({ index }) => index !== background && index !== ignore) ?? classes[0];
    this.setClass(this.#knows(this.label) && this.label !== background ? this.label : first.index, true);
    if (!this.#canUse(this.toolId)) this.setTool("brush");
    this.panel.choose(this.toolId);
    this.#show();
  }

  #forget() {
    for (const tool of Object.values(this.tools)) tool.forget();
  }

  #accept(ids) {
    this.regions.accept(ids, true);
    this.history.add({ accepted: ids });
    this.viewer.draw();
    this.#changed();
  }

  #again(step, back) {
    if (!step) return;
    if (step.changes) {
      this.mask.apply(step.changes, back);
      this.settle();
      if (this.regions?.follow(step.changes, back)) this.viewer.draw();
    } else {
      this.regions.accept(step.accepted, !back);
      this.viewer.draw();
    }
    this.#changed();
  }

  #changed() {
    this.panel.hint();
    this.#show();
    this.onChange?.(this);
  }

  // Bring buttons and numbers up to date.
  #show() {
    const ready = Boolean(this.mask);
    this.panel.allow({
      undo: ready && this.history.canUndo, redo: ready && this.history.canRedo,
      tool: (id) => ready && this.#canUse(id),
    });
    if (ready) this.classList.count(this.mask.pixels);
    this.review.show(this.regions);
    this.node.dataset.changed = this.changed;
  }

  #canUse(id) {
    if (id === "accept") return Boolean(this.regions?.count);
    return !["eraser", "delete"].includes(id) || this.emptyLabel !== null;
  }

  #knows(index) {
    return (this.classes ?? []).some((entry) => entry.index === index);
  }

  #focus() {
    this.viewer.canvas.focus({ preventScroll: true });
  }

  #pointAt([x, y]) {
    const { view } = this.viewer;
    return [(x - view.x) / view.scale, (y - view.y) / view.scale];
  }

  #painted(context) {
    this.overlay.moved();
    if (this.regions && this.viewer.mode !== "Image" && this.viewer.masked) {
      paintAccepted(context, this.regions, this.viewer);
    }
  }

  #build() {
    // Room for more panels below the classes, and it may be put elsewhere in the page.
    this.side = el("section", { class: "sr-classes", "aria-label": t("editor.classes") },
      this.classList.node, this.review.node);
    this.viewer.stage.before(this.panel.options);
    this.viewer.stage.append(...this.overlay.nodes);
    this.viewer.stage.after(this.panel.status);
    return el("div", { class: "sr-editor" }, this.panel.tools, this.viewer.node, this.side);
  }
}

async function loadLevels(labels, { width, height }, background = null) {
  const given = labels instanceof Uint8Array;
  if (given && labels.length !== width * height) throw new Error(t("editor.wrongSize"));
  const levels = given ? await levelsOf({ width, height, data: labels }, background)
    : (await loadLabels(labels, null, background, null)).levels;
  const [{ width: columns, height: rows }] = levels;
  if (columns !== width || rows !== height) throw new Error(t("editor.wrongSize"));
  return levels;
}

// What cannot be judged is a class of its own, at the end.
function withIgnore(classes, ignore) {
  if (ignore === null) return classes;
  return [...classes, { index: ignore, name: t("editor.ignore"), color: IGNORE_COLOR, hatched: true }];
}
