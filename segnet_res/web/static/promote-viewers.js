// A picture with its mask and the answers before and after, under one zoom; a box marks the defect.

import { el } from "./dom.js";
import { t } from "./texts.js";
import { Viewer } from "./viewer.js";

const VIEWS = ["Overlay", "Image", "Mask", "Outline", "Errors"];
const LAYERS = ["truth", "before", "after"];

export class FlipScreen {
  // onStep(direction) goes to another defect, and tells whether there are several.
  constructor({ onStep }) {
    this.box = null;
    this.viewers = LAYERS.map((layer, i) => new Viewer({
      views: VIEWS, toolbar: i === 0, label: t(`promote.${i ? `side${i === 1 ? "Before" : "After"}` : "truth"}`, { name: "" }),
      screen: () => this.node,
    }));
    const [first, ...others] = this.viewers;
    for (const other of others) first.link(other);
    first.onStep = onStep;
    for (const viewer of this.viewers) viewer.onPaint = (context) => this.#mark(viewer, context);
    this.titles = LAYERS.map(() => el("h4"));
    this.place = el("p", { class: "sr-flip-place", role: "status" });
    this.node = el("div", { class: "sr-flip-screen" }, first.toolbar.node, this.place,
      el("div", { class: "sr-flip-panes" }, ...this.viewers.map((viewer, i) =>
        el("section", { class: "sr-pane", "data-layer": LAYERS[i] }, this.titles[i], viewer.node))));
    this.name("", "");
  }

  name(parent, candidate) {
    this.titles[0].textContent = t("promote.truth");
    this.titles[1].textContent = t("promote.sideBefore", { name: parent });
    this.titles[2].textContent = t("promote.sideAfter", { name: candidate });
  }

  clear(text) {
    this.box = null;
    this.place.textContent = "";
    for (const viewer of this.viewers) viewer.clear("");
    this.viewers[0].tell(text);
  }

  tell(text) {
    this.viewers[0].tell(text);
  }

  // reply: the server's answer about the picture; row: the defect, or a picture without a place.
  async show(reply, row, urlOf) {
    const shown = await Promise.all(this.viewers.map((viewer, i) => viewer.show(resultOf(reply, LAYERS[i]), urlOf)));
    if (!shown.every(Boolean)) return false;
    const { stem, name, box } = row;
    this.box = box ?? null;
    this.viewers[0].tell("");
    const [x, y, width, height] = box ?? [];
    this.place.textContent = box ? t("promote.place", { name, stem, x, y }) : stem;
    if (box) this.viewers[0].lookAt({ x, y, width, height });
    else this.viewers[0].fit();
    return true;
  }

  // A box in white on black, which is seen on any picture and hides nothing of the defect.
  #mark(viewer, context) {
    if (!this.box) return;
    const density = window.devicePixelRatio || 1;
    const { scale, x, y } = viewer.view;
    const [left, top, width, height] = this.box;
    const room = 4 * density;
    const place = [x + left * scale - room, y + top * scale - room, width * scale + 2 * room, height * scale + 2 * room];
    for (const [color, line] of [["#000000", 3.5], ["#ffffff", 1.5]]) {
      context.strokeStyle = color;
      context.lineWidth = line * density;
      context.strokeRect(...place);
    }
  }
}

// What a viewer takes for a result of its own.
function resultOf(reply, layer) {
  const { job, stem, image, step, classes, background, ignore, files } = reply;
  return {
    original: `${job} ${stem}`, model: layer, image, step, classes, background, ignore,
    reference: { file: files.truth },
    files: { preview: files.preview, full: files.full, shown: files[layer] },
  };
}
