// What lies over the mask and is no part of it: the brush's circle, a polygon that is being drawn,
// and the borders of accepted regions.

import { brushAt } from "./annotate-tools-shapes.js";
import { el } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

// Smaller regions (pixels of the screen) have no room for a tick.
const ROOM = 14;

export class Overlay {
  constructor(viewer) {
    this.viewer = viewer;
    this.size = this.place = null;
    this.corners = [];
    this.circle = el("div", { class: "sr-brush-circle", "aria-hidden": "true", hidden: true });
    this.lines = ["sr-shape-dark", "sr-shape-light"].map((name) => shape("polyline", { class: name }));
    this.ends = ["sr-shape-first", "sr-shape-last"].map((name) => shape("circle", { class: name, r: 4 }));
    this.svg = shape("svg", { class: "sr-shape", "aria-hidden": "true" });
    this.svg.append(...this.lines, ...this.ends);
    this.nodes = [this.svg, this.circle];
    this.drawShape([]);
  }

  // The circle of a brush `size` pixels wide; null: the tool has none.
  brush(size) {
    this.size = size;
    this.#circle();
  }

  // The pointer is over a point of the window, or (null) elsewhere.
  point(place) {
    this.place = place;
    this.#circle();
  }

  // The polygon so far, and where its next corner would be.
  drawShape(corners, pointer = null) {
    Object.assign(this, { corners, pointer });
    this.#shape();
  }

  clear() {
    this.place = null;
    this.drawShape([]);
    this.#circle();
  }

  // The picture has been drawn anew, perhaps at another place.
  moved() {
    this.#circle();
    if (this.corners.length) this.#shape();
  }

  get #density() {
    return this.viewer.canvas.width / (this.viewer.stage.clientWidth || 1);
  }

  #circle() {
    const { place, size, viewer, circle } = this;
    circle.hidden = !place || size === null || !viewer.result;
    if (circle.hidden) return;
    const { scale, x, y } = viewer.view;
    // Where the brush would be put down, which is seen when pixels are large.
    const [column, row] = brushAt((place[0] - x) / scale, (place[1] - y) / scale, size);
    const width = (size * scale) / this.#density;
    const left = (x + (column / 2) * scale) / this.#density - width / 2;
    const top = (y + (row / 2) * scale) / this.#density - width / 2;
    circle.style.width = circle.style.height = `${width}px`;
    circle.style.transform = `translate(${left}px, ${top}px)`;
  }

  #shape() {
    const { corners, pointer } = this;
    this.svg.toggleAttribute("hidden", corners.length === 0);
    if (corners.length === 0) return;
    const points = [...corners, ...(pointer ? [pointer] : [])].map((point) => this.#windowOf(point));
    const text = points.map((point) => point.join(",")).join(" ");
    for (const line of this.lines) line.setAttribute("points", text);
    [points[0], points[corners.length - 1]].forEach(([x, y], i) => {
      this.ends[i].setAttribute("cx", x);
      this.ends[i].setAttribute("cy", y);
    });
  }

  #windowOf([column, row]) {
    const { scale, x, y } = this.viewer.view;
    return [(x + column * scale) / this.#density, (y + row * scale) / this.#density];
  }
}

// The borders of accepted regions, dark and light so that they are seen on every picture, and a tick
// in each.
export function paintAccepted(context, regions, viewer) {
  const { scale, x, y } = viewer.view;
  const density = window.devicePixelRatio || 1;
  for (let id = 0; id < regions.count; id++) {
    if (!regions.isOutlined(id) || !isInside(regions.boxes[id], viewer)) continue;
    const { path, middle } = regions.outline(id);
    context.setTransform(scale, 0, 0, scale, x, y);
    border(context, path, density / scale);
    context.setTransform(1, 0, 0, 1, 0, 0);
    const { left, top, right, bottom } = regions.boxes[id];
    if (Math.max(right - left, bottom - top) * scale < ROOM * density) continue;
    tick(context, x + middle[0] * scale, y + middle[1] * scale, density);
  }
}

function isInside({ left, top, right, bottom }, { view: { scale, x, y }, canvas }) {
  return x + right * scale > 0 && y + bottom * scale > 0 &&
    x + left * scale < canvas.width && y + top * scale < canvas.height;
}

function border(context, path, unit) {
  context.lineWidth = 3 * unit;
  context.strokeStyle = "#0b1220";
  context.stroke(path);
  context.lineWidth = 1.25 * unit;
  context.strokeStyle = "#ffffff";
  context.stroke(path);
}

function tick(context, x, y, density) {
  context.beginPath();
  context.arc(x, y, 7 * density, 0, 2 * Math.PI);
  context.fillStyle = "#0b1220";
  context.fill();
  context.beginPath();
  [[-3.5, 0], [-1, 2.75], [3.5, -2.75]].forEach(([dx, dy]) => {
    context.lineTo(x + dx * density, y + dy * density);
  });
  context.lineWidth = 1.75 * density;
  context.strokeStyle = "#ffffff";
  context.stroke();
}

function shape(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
