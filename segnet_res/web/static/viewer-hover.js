// What lies under the pointer, or under the probe in the middle for work without a mouse.

import { el } from "./dom.js";
import { t } from "./texts.js";

// A screen reader should hear where the probe rests, not every pixel on its way.
const REST = 400;

export class Readout {
  constructor(viewer) {
    this.viewer = viewer;
    this.probing = false;
    this.text = el("div", { class: "sr-hover", hidden: true });
    this.cross = el("div", { class: "sr-cross", hidden: true });
    this.spoken = el("div", { class: "sr-spoken", role: "status", "aria-live": "polite" });
    this.nodes = [this.text, this.cross, this.spoken];
  }

  // `marked`: a cross shows the place, where the pointer itself does not.
  show(pixel, marked) {
    this.pixel = pixel;
    this.text.textContent = this.#describe(pixel);
    this.text.hidden = false;
    this.cross.hidden = !marked;
    if (marked) this.#place();
  }

  hide() {
    if (this.probing) return;
    this.text.hidden = true;
    this.cross.hidden = true;
  }

  toggleProbe() {
    this.probing = !this.probing;
    if (this.probing) this.moved();
    else this.viewer.point(null);
  }

  // The picture has moved or changed: what is under the probe or below the cross is another pixel.
  moved() {
    const { viewer } = this;
    if (!this.probing) {
      if (!this.cross.hidden) this.#place();
      return;
    }
    const pixel = viewer.pixelAt(viewer.canvas.width / 2, viewer.canvas.height / 2);
    if (!pixel) {
      this.text.hidden = true;
      return;
    }
    this.show(pixel, true);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.spoken.textContent = this.text.textContent; }, REST);
  }

  #place() {
    const density = this.viewer.canvas.width / this.viewer.stage.clientWidth;
    const [x, y] = this.viewer.placeOf(this.pixel);
    this.cross.style.left = `${x / density}px`;
    this.cross.style.top = `${y / density}px`;
  }

  #describe([column, row]) {
    const { viewer } = this;
    const { step } = viewer.result;
    const at = (plane) => plane.data[Math.floor(row / step) * plane.width + Math.floor(column / step)];
    const parts = [];
    const [labels, differences] = [viewer.layer("labels"), viewer.layer("differences")];
    const name = labels ? this.#className(at(labels[0]))
      : differences ? this.#difference(at(differences[0])) : "";
    parts.push(t("viewer.place", { column, row, name }));
    // Rounded down, so that only certainty reads 100 %.
    const percent = (levels) => t("viewer.percent", { number: Math.floor(at(levels[0]) / 2.55) });
    const [confidence, unsure] = [viewer.layer("confidence"), viewer.layer("unsure")];
    if (confidence) parts.push(t("viewer.confidenceHere", { percent: percent(confidence) }));
    if (viewer.truth) parts.push(t("viewer.truthHere", { name: this.#className(at(viewer.truth)) }));
    if (unsure && viewer.mode === "Unsure") parts.push(t("viewer.unsureHere", { percent: percent(unsure) }));
    return parts.join("  ");
  }

  #difference(code) {
    const found = this.viewer.result.differences.find((entry) => entry.code === code);
    return found?.name ?? t("viewer.equal");
  }

  #className(label) {
    const { ignore, classes } = this.viewer.result;
    if (label === ignore) return t("viewer.notLabelled");
    return classes[label]?.name ?? String(label);
  }
}
