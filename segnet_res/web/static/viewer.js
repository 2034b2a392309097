// The canvas viewer: a picture and its masks under one zoom, drawn in the browser.

import { el } from "./dom.js";
import { ERRORS, ERROR_KEY, errorMap, loadBitmap, loadLabels, pyramid } from "./labels.js";
import { paintMask, rgba } from "./paint.js";
import { listen } from "./viewer-input.js";

const MODES = ["Overlay", "Image", "Mask", "Outline", "Errors"];
const NO_LABEL = -1;

export class Viewer {
  constructor() {
    this.mode = "Overlay";
    this.opacity = 0.55;
    this.hidden = new Set();
    this.masked = true;
    this.view = { scale: 1, x: 0, y: 0 };
    this.result = null;
    this.node = this.#build();
    listen(this);
    new ResizeObserver(() => this.#resized()).observe(this.stage);
  }

  // Load a result's files and draw them. `result` is the server's reply.
  async show(result, urlOf) {
    const [picture, labels, truth] = await Promise.all([
      loadBitmap(urlOf(result.files.preview)),
      loadLabels(urlOf(result.files.shown)),
      result.reference ? loadLabels(urlOf(result.reference.file)) : null,
    ]);
    const samePicture = this.result?.original === result.original;
    const sameModel = this.result?.model === result.model;
    this.result = result;
    this.picture = picture;
    this.original = null;
    this.originalUrl = urlOf(result.original);
    this.labels = pyramid(labels, result.background ?? NO_LABEL);
    this.truth = truth;
    this.errors = truth
      ? pyramid(errorMap(labels, truth, result.background, result.ignore), ERRORS.agree)
      : null;
    // Classes that were hidden for one part must not stay hidden for the next.
    if (!samePicture || !sameModel) this.hidden.clear();
    this.masked = true;
    this.message.hidden = true;
    this.buttons.Errors.disabled = !truth;
    this.buttons.Errors.title = truth ? "5" : "Needs a reference mask";
    if (!truth && this.mode === "Errors") this.mode = "Overlay";
    this.setMode(this.mode);
    if (!samePicture) this.fit();
  }

  clear(text) {
    this.result = this.picture = this.labels = this.truth = this.errors = this.original = null;
    this.hover.hidden = true;
    this.tell(text);
    this.buttons.Errors.disabled = true;
    this.draw();
  }

  tell(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
  }

  setMode(mode) {
    if (mode === "Errors" && this.result && !this.errors) return;
    this.mode = mode;
    for (const [name, button] of Object.entries(this.buttons)) {
      button.setAttribute("aria-pressed", String(name === mode));
    }
    this.key.hidden = mode !== "Errors" || !this.errors;
    this.slider.disabled = mode === "Image" || mode === "Mask" || mode === "Outline";
    this.draw();
  }

  setVisible(index, visible) {
    if (visible) this.hidden.delete(index);
    else this.hidden.add(index);
    this.draw();
  }

  toggleMask() {
    this.masked = !this.masked;
    this.draw();
  }

  fit() {
    if (!this.result) return;
    const { width, height } = this.result.image;
    const scale = Math.min(this.canvas.width / width, this.canvas.height / height);
    this.view = {
      scale,
      x: (this.canvas.width - width * scale) / 2,
      y: (this.canvas.height - height * scale) / 2,
    };
    this.fitted = true;
    this.draw();
  }

  // Zoom so that the picture's pixel at window point (x, y) stays there.
  zoom(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    if (!this.result) return;
    const { width, height } = this.result.image;
    const fitting = Math.min(this.canvas.width / width, this.canvas.height / height);
    const [least, most] = [Math.min(fitting, 1) / 4, Math.max(fitting, 64)];
    const scale = Math.min(Math.max(this.view.scale * factor, least), most);
    const ratio = scale / this.view.scale;
    this.view = {
      scale,
      x: x - (x - this.view.x) * ratio,
      y: y - (y - this.view.y) * ratio,
    };
    this.fitted = false;
    this.draw();
  }

  // One picture pixel for one pixel of the screen.
  actualSize() {
    this.zoom(1 / this.view.scale);
  }

  pan(dx, dy) {
    this.view.x += dx;
    this.view.y += dy;
    this.fitted = false;
    this.draw();
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.node.requestFullscreen?.();
  }

  // Show what lies under window point (x, y).
  point(x, y) {
    const inside = this.result && this.#pixelAt(x, y);
    this.hover.hidden = !inside;
    if (!inside) return;
    const [column, row] = inside;
    const { step } = this.result;
    const labels = this.labels[0];
    const place = Math.floor(row / step) * labels.width + Math.floor(column / step);
    let text = `x ${column}  y ${row}  ${this.#className(labels.data[place])}`;
    if (this.truth) text += `  truth: ${this.#className(this.truth.data[place])}`;
    this.hover.textContent = text;
  }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = null;
      this.#paint();
    });
  }

  #build() {
    this.buttons = {};
    const modes = el("div", { class: "sr-modes", role: "group", "aria-label": "View" });
    MODES.forEach((mode, i) => {
      this.buttons[mode] = el("button", {
        type: "button", text: mode, title: String(i + 1), onclick: () => this.setMode(mode),
      });
      modes.append(this.buttons[mode]);
    });
    this.slider = el("input", {
      type: "range", min: 0, max: 100, value: 55, "aria-label": "Opacity of the mask",
      title: "Opacity of the mask",
      oninput: () => {
        this.opacity = this.slider.value / 100;
        number.textContent = `${this.slider.value} %`;
        this.draw();
      },
    });
    const number = el("output", { text: "55 %" });
    const opacity = el("label", { class: "sr-opacity" }, el("span", { text: "Opacity" }),
      this.slider, number);
    const button = (text, title, act) =>
      el("button", { type: "button", class: "sr-tool", text, title, onclick: act });
    const tools = el("div", { class: "sr-tools" },
      button("Fit", "0", () => this.fit()),
      button("1:1", "Z", () => this.actualSize()),
      button("Full screen", "F", () => this.fullScreen()));
    this.canvas = el("canvas", {
      tabindex: "0", role: "img", "aria-label": "Picture with the classes that were found",
    });
    this.hover = el("div", { class: "sr-hover", hidden: true });
    this.message = el("div", { class: "sr-message" });
    this.badge = el("div", { class: "sr-badge", text: "mask hidden - Space shows it", hidden: true });
    this.key = el("ul", { class: "sr-key", hidden: true, "aria-label": "Key of the errors" });
    for (const { name, color } of ERROR_KEY) {
      const dot = el("span", { class: "sr-dot" });
      dot.style.backgroundColor = color;
      this.key.append(el("li", {}, dot, name));
    }
    this.stage = el("div", { class: "sr-stage" }, this.canvas, this.message, this.hover, this.badge,
      this.key);
    this.buttons.Errors.disabled = true;
    const bar = el("div", { class: "sr-toolbar" }, modes, opacity, tools);
    return el("div", { class: "sr-viewer" }, bar, this.stage);
  }

  #resized() {
    const density = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.stage.clientWidth * density));
    const height = Math.max(1, Math.round(this.stage.clientHeight * density));
    if (this.canvas.width === width && this.canvas.height === height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    if (this.fitted) this.fit();
    // Not in the next frame: an emptied canvas would flash.
    this.#paint();
  }

  #paint() {
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.badge.hidden = this.masked || !this.result;
    if (!this.result) return;
    if (this.mode !== "Mask" || !this.masked) this.#paintPicture(context);
    if (this.masked && this.mode !== "Image") this.#paintLabels(context);
    this.canvas.dataset.mode = this.mode;
  }

  #paintPicture(context) {
    const { width, height } = this.result.image;
    const { scale, x, y } = this.view;
    if (scale > (1.1 * this.picture.width) / width) this.#loadOriginal();
    const source = this.original ?? this.picture;
    // Enlarged pixels stay squares: whoever zooms in wants to see them.
    context.imageSmoothingEnabled = (scale * width) / source.width < 3;
    context.imageSmoothingQuality = "high";
    context.drawImage(source, x, y, width * scale, height * scale);
  }

  // The preview has at most 2048 pixels a side; closer looks need the upload itself, where the
  // browser can read it.
  async #loadOriginal() {
    if (this.original !== null || this.picture.width === this.result.image.width) return;
    this.original = undefined;
    const result = this.result;
    try {
      const bitmap = await loadBitmap(this.originalUrl);
      const fits = bitmap.width === result.image.width && bitmap.height === result.image.height;
      if (fits && this.result === result) {
        this.original = bitmap;
        this.draw();
      }
    } catch {
      // A TIFF, say: the enlarged preview is all that a browser can show.
    }
  }

  #paintLabels(context) {
    const { width, height } = this.canvas;
    if (this.layer?.width !== width || this.layer?.height !== height) {
      this.layer = new OffscreenCanvas(width, height);
      this.pixels = new ImageData(width, height);
    }
    const { step } = this.result;
    const view = { scale: this.view.scale * step, x: this.view.x, y: this.view.y };
    const errors = this.mode === "Errors" && this.errors;
    const density = window.devicePixelRatio || 1;
    const border = this.mode === "Outline" ? Math.round(2 * density) : 0;
    paintMask(this.pixels, errors || this.labels, view, this.#table(errors), border);
    this.layer.getContext("2d").putImageData(this.pixels, 0, 0);
    context.globalAlpha = this.mode === "Overlay" || errors ? this.opacity : 1;
    context.drawImage(this.layer, 0, 0);
    context.globalAlpha = 1;
  }

  #table(errors) {
    const table = new Uint32Array(256);
    if (errors) {
      for (const { code, color } of ERROR_KEY) table[code] = rgba(color);
      return table;
    }
    for (const { index, color } of this.result.classes) {
      const plain = index === this.result.background && this.mode !== "Mask";
      if (!plain && !this.hidden.has(index)) table[index] = rgba(color);
    }
    return table;
  }

  #pixelAt(x, y) {
    const { width, height } = this.result.image;
    const column = Math.floor((x - this.view.x) / this.view.scale);
    const row = Math.floor((y - this.view.y) / this.view.scale);
    return column >= 0 && row >= 0 && column < width && row < height ? [column, row] : null;
  }

  #className(label) {
    if (label === this.result.ignore) return "not labelled";
    return this.result.classes[label]?.name ?? String(label);
  }
}

export { MODES };
