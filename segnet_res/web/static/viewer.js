// The canvas viewer: a picture and its masks under one zoom, drawn in the browser.

import { el } from "./dom.js";
import { Files, loadBitmap, loadCodes, loadLabels, loadValues, prepare } from "./masks.js";
import { paintMask } from "./paint.js";
import { t } from "./texts.js";
import { Camera } from "./viewer-camera.js";
import { Readout } from "./viewer-hover.js";
import { listen } from "./viewer-input.js";
import { KEYS, Toolbar, colorKey } from "./viewer-toolbar.js";
import { VIEWS, keyOf, tableOf } from "./views.js";

const INSPECT_VIEWS = ["Overlay", "Image", "Mask", "Outline", "Confidence", "Errors", "Unsure"];

// A picture beyond this takes a browser more memory than it may have.
const MOST_FULL_PIXELS = 64e6;

export class Viewer extends Camera {
  // options:
  //   views    ids of the views that can be chosen, in order; one alone stays as it is
  //   toolbar  false: another viewer that this one is linked to has it
  //   label    what screen readers call the picture before there is one
  //   screen   () => element that full screen enlarges; the viewer itself by default
  //   input    (viewer) => listens to mouse, touch and keys
  //   keys     how its keys are told, as `KEYS` of the toolbar
  constructor({
    views = INSPECT_VIEWS, toolbar = true, label = null, screen = null, input = listen, keys = KEYS,
  } = {}) {
    super();
    this.views = views;
    this.mode = this.wanted = views[0];
    this.opacity = 0.55;
    this.hidden = new Set();
    this.masked = true;
    this.files = new Files();
    // Of the window, what has to be painted anew: null for all of it.
    this.damage = null;
    this.onStep = this.onMode = this.onPaint = null;
    this.askUnsure = null;
    // Counts results: what a late one has loaded is dropped.
    this.turn = 0;
    this.label = label ?? t("viewer.canvas");
    this.node = this.#build(toolbar, keys);
    this.screen = screen ?? (() => this.node);
    this.#takeMode();
    input(this);
    prepare();
    new ResizeObserver(() => this.#resized()).observe(this.stage);
  }

  get onUnsure() {
    return this.askUnsure;
  }

  set onUnsure(ask) {
    this.askUnsure = ask;
    this.#takeMode();
  }

  // Load a result's files and draw them; `result` is the server's reply. Resolves with whether it is
  // on the screen: false when a later call has overtaken it. Throws a sentence when files are gone.
  async show(result, urlOf) {
    const turn = ++this.turn;
    const batch = await this.files.load(wantedFiles(result, urlOf));
    if (turn !== this.turn) {
      this.files.drop(batch);
      return false;
    }
    this.files.take(batch);
    const samePicture = this.result?.original === result.original;
    const sameModel = samePicture && this.result?.model === result.model;
    this.result = result;
    this.urlOf = urlOf;
    this.#keepLater(sameModel);
    // Classes that were hidden for one part must not stay hidden for the next.
    if (!sameModel) this.hidden.clear();
    if (!samePicture) {
      this.masked = true;
      // Working it out takes several times the model's time: not for every picture unasked.
      if (this.wanted === "Unsure" && !result.files.unsure) this.wanted = this.views[0];
    }
    if (!this.working) this.tell("");
    this.#takeMode();
    if (!samePicture) this.fit();
    await this.#loadConfidence();
    return turn === this.turn;
  }

  clear(text) {
    this.turn++;
    this.result = null;
    this.files.clear();
    this.point(null);
    this.tell(text);
    this.#takeMode();
  }

  tell(text) {
    this.message.replaceChildren(...(text ? [el("span", { text })] : []));
    this.message.hidden = !text;
  }

  // Whether there is something to see in a view.
  has(id) {
    if (!this.result || !this.views.includes(id)) return false;
    const { layer } = VIEWS[id];
    if (layer === null || this.layer(layer)) return true;
    // These are loaded, or worked out, when somebody looks.
    if (layer === "confidence") return Boolean(this.result.files.confidence);
    return layer === "unsure" && Boolean(this.result.files.unsure || this.onUnsure);
  }

  // A view without data is remembered, and shown as soon as a result has them.
  setMode(id) {
    for (const viewer of this.group) {
      if (viewer.views.length === 1 || !viewer.views.includes(id)) continue;
      viewer.wanted = id;
      if (!viewer.working) viewer.tell(viewer.result ? "" : viewer.message.textContent);
      viewer.#takeMode();
    }
  }

  setOpacity(share) {
    for (const viewer of this.group) {
      viewer.opacity = share;
      viewer.#takeMode();
    }
  }

  setVisible(index, visible) {
    if (visible) this.hidden.delete(index);
    else this.hidden.add(index);
    this.draw();
  }

  toggleMask() {
    const masked = !this.masked;
    for (const viewer of this.group) {
      viewer.masked = masked;
      viewer.draw();
    }
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.screen().requestFullscreen?.();
  }

  // Show what lies under window point (x, y), here and in the linked viewers; null: nothing.
  point(x, y) {
    const pixel = this.result && x !== null ? this.pixelAt(x, y) : null;
    for (const viewer of this.group) {
      if (pixel && viewer.result) viewer.readout.show(pixel, viewer !== this);
      else viewer.readout.hide();
    }
  }

  draw() {
    this.damage = null;
    this.#frame();
  }

  // Draw anew where labels within a box of the picture's pixels have changed.
  drawPart(box) {
    if (this.pending && !this.damage) return;
    const part = this.#windowOf(box);
    this.damage = this.damage ? joined(this.damage, part) : part;
    this.#frame();
  }

  // What is painted or read under a name (labels, errors, confidence, unsure, differences): levels
  // from fine to coarse, or null.
  layer(name) {
    const masks = this.files.get("labels");
    // A mask that is made in the page has no file.
    if (name === "labels") return this.result?.levels ?? masks?.levels ?? null;
    return name === "errors" ? masks?.errors ?? null : this.files.get(name);
  }

  get truth() {
    return this.files.get("labels")?.truth ?? null;
  }

  #build(toolbar, keys) {
    this.canvas = el("canvas", { tabindex: "0", role: "img", "aria-label": this.label });
    this.readout = new Readout(this);
    this.message = el("div", { class: "sr-message", role: "status" });
    this.badge = el("div", { class: "sr-badge", text: keys.hidden(), hidden: true });
    this.key = el("ul", { class: "sr-key", hidden: true, "aria-label": t("viewer.key") });
    this.stage = el("div", { class: "sr-stage" }, this.canvas, this.message, ...this.readout.nodes,
      this.badge, this.key);
    this.toolbar = !toolbar ? null : new Toolbar(this.views, {
      mode: (id) => this.setMode(id),
      opacity: (share) => this.setOpacity(share),
      fit: () => this.fit(),
      actualSize: () => this.actualSize(),
      fullScreen: () => this.fullScreen(),
    }, keys);
    return el("div", { class: "sr-viewer" }, this.toolbar?.node, this.stage, this.toolbar?.help);
  }

  // Let go of what was loaded on demand for another picture.
  #keepLater(sameModel) {
    const { files } = this.result;
    const url = (path) => (path ? this.urlOf(path) : null);
    this.files.keep("full", url(fullFile(this.result)));
    this.files.keep("confidence", url(files.confidence));
    // Limits change nothing in what the model is unsure of.
    if (files.unsure || !sameModel) this.files.keep("unsure", url(files.unsure));
    if (!sameModel) this.working = false;
  }

  // Confidence comes after the mask: nobody should wait for it who does not look at it.
  async #loadConfidence() {
    const { confidence } = this.result.files;
    if (!confidence) return;
    const loading = this.#later("confidence", confidence, loadValues);
    if (this.mode === "Confidence") await loading;
    // Else a failure costs no more than a number at the pointer.
    else loading.catch(() => {});
  }

  async #later(name, path, load) {
    if (!await this.files.later(name, this.urlOf(path), load)) return;
    this.canvas.dataset[name] = this.result.original;
    this.#takeMode();
  }

  // The map of where the model is unsure, asked for when somebody looks.
  async #workOut() {
    const { result } = this;
    if (this.working || this.layer("unsure")) return;
    this.working = true;
    this.tell(t("viewer.unsureBusy"));
    const current = () => this.result?.original === result.original && this.result.model === result.model;
    try {
      const path = result.files.unsure ?? await this.onUnsure(result);
      if (!current()) return;
      if (path) await this.#later("unsure", path, loadValues);
      this.working = false;
      this.tell("");
    } catch (error) {
      if (!current()) return;
      this.working = false;
      this.wanted = this.views[0];
      this.#takeMode();
      this.tell(error.message);
    }
  }

  // Go to the view that is wanted, or to the first where it has nothing to show.
  #takeMode() {
    const before = this.mode;
    this.mode = !this.result || this.has(this.wanted) ? this.wanted : this.views[0];
    this.#showMode();
    if (this.result && this.mode === "Unsure") this.#workOut();
    if (this.mode !== before) this.onMode?.(this.mode);
    this.draw();
  }

  #showMode() {
    const key = this.result && keyOf(this.mode, this.result);
    this.key.replaceChildren(...(key ? colorKey(key) : []));
    this.key.hidden = !key;
    const name = this.result?.image.name;
    const view = t(`viewer.${this.mode}`);
    this.canvas.setAttribute("aria-label", name ? t("viewer.canvasOf", { name, view }) : this.label);
    if (!this.toolbar) return;
    for (const id of this.views) {
      // Before there is a result, only what needs nothing more than one can be chosen.
      this.toolbar.allow(id, this.result ? this.has(id) : ["labels", null].includes(VIEWS[id].layer));
    }
    const unsure = this.toolbar.buttons.Unsure;
    if (unsure) unsure.hidden = !this.onUnsure;
    this.toolbar.show(this.mode, this.opacity, Boolean(VIEWS[this.mode].blended));
  }

  #resized() {
    // Hidden on another tab.
    if (!this.stage.clientWidth) return;
    const density = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.stage.clientWidth * density));
    const height = Math.max(1, Math.round(this.stage.clientHeight * density));
    if (this.canvas.width === width && this.canvas.height === height) return;
    this.resize(width, height);
    this.damage = null;
    // Not in the next frame: an emptied canvas would flash.
    this.#paint();
  }

  #frame() {
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      this.#paint();
    });
  }

  // The window's part that shows a box of the picture, and the borders of what lies beside it.
  #windowOf({ x, y, width, height }) {
    const { view: { scale, x: left, y: top }, canvas } = this;
    const room = borderWidth() + 2;
    const within = (place, limit) => Math.min(Math.max(Math.floor(place), 0), limit);
    return {
      left: within(left + x * scale - room, canvas.width),
      top: within(top + y * scale - room, canvas.height),
      right: within(left + (x + width) * scale + room + 1, canvas.width),
      bottom: within(top + (y + height) * scale + room + 1, canvas.height),
    };
  }

  #paint() {
    const { width, height } = this.canvas;
    const part = this.damage ?? { left: 0, top: 0, right: width, bottom: height };
    this.damage = null;
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.save();
    const box = [part.left, part.top, part.right - part.left, part.bottom - part.top];
    context.beginPath();
    context.rect(...box);
    context.clip();
    context.clearRect(...box);
    this.badge.hidden = this.masked || !this.result;
    if (this.result) this.#paintViews(context, part);
    context.restore();
  }

  #paintViews(context, part) {
    const { layer, bare } = VIEWS[this.mode];
    if (!bare || !this.masked) this.#paintPicture(context);
    if (this.masked && layer !== null) this.#paintLayer(context, part);
    this.onPaint?.(context);
    this.readout.moved();
    this.canvas.dataset.mode = this.mode;
  }

  #paintPicture(context) {
    const { width, height } = this.result.image;
    const { scale, x, y } = this.view;
    const preview = this.files.get("picture");
    // The preview has at most 2048 pixels a side; closer looks need the whole picture.
    if (scale > (1.1 * preview.width) / width) this.#loadFull();
    const source = this.files.get("full") ?? preview;
    // Enlarged pixels stay squares: whoever zooms in wants to see them.
    context.imageSmoothingEnabled = (scale * width) / source.width < 3;
    context.imageSmoothingQuality = "high";
    context.drawImage(source, x, y, width * scale, height * scale);
  }

  #loadFull() {
    const { width, height } = this.result.image;
    const path = fullFile(this.result);
    if (!path || this.files.get("picture").width === width || width * height > MOST_FULL_PIXELS) return;
    const load = async (url) => {
      const bitmap = await loadBitmap(url);
      if (bitmap.width === width && bitmap.height === height) return bitmap;
      bitmap.close();
      throw new Error("the picture has another size than its mask");
    };
    // A TIFF, say: then the enlarged preview is all that a browser can show.
    this.files.later("full", this.urlOf(path), load).then(() => this.draw(), () => {});
  }

  #paintLayer(context, part) {
    const { layer, blended, border } = VIEWS[this.mode];
    const levels = this.layer(layer);
    if (!levels) return;
    const { width, height } = this.canvas;
    if (this.sheet?.width !== width || this.sheet?.height !== height) {
      this.sheet = new OffscreenCanvas(width, height);
      this.pixels = new ImageData(width, height);
    }
    const view = { ...this.view, scale: this.view.scale * this.result.step };
    const table = tableOf(this.mode, this.result, this.hidden);
    paintMask(this.pixels, levels, view, table, {
      border: border ? borderWidth() : 0, hatched: this.result.hatched, part,
    });
    const box = [part.left, part.top, part.right - part.left, part.bottom - part.top];
    if (box[2] <= 0 || box[3] <= 0) return;
    this.sheet.getContext("2d").putImageData(this.pixels, 0, 0, ...box);
    context.globalAlpha = blended ? this.opacity : 1;
    context.drawImage(this.sheet, ...box, ...box);
    context.globalAlpha = 1;
  }
}

function borderWidth() {
  return Math.round(2 * (window.devicePixelRatio || 1));
}

function joined(a, b) {
  return {
    left: Math.min(a.left, b.left), top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right), bottom: Math.max(a.bottom, b.bottom),
  };
}

// What must be there before a result can be drawn.
function wantedFiles(result, urlOf) {
  const { files, background, ignore } = result;
  const url = (path) => (path ? urlOf(path) : null);
  const [shown, truth] = [url(files.shown), url(result.reference?.file)];
  return {
    picture: { key: url(files.preview), load: () => loadBitmap(url(files.preview)) },
    labels: {
      key: shown && [shown, truth, background, ignore].join(" "),
      load: () => loadLabels(shown, truth, background, ignore),
    },
    differences: { key: url(files.differences), load: () => loadCodes(url(files.differences)) },
  };
}

function fullFile(result) {
  return result.files.full === undefined ? result.original : result.files.full;
}
