// Curves of a retraining as SVG, with their numbers as a table.
//
// Lines differ by colour and by the shape of their points. Each lies on a wider one in the colour of
// the text, so that pale and dark colours of classes can be seen on any ground.

import { el, score, swatch } from "./dom.js";
import { t } from "./texts.js";

const WIDTH = 360;
const HEIGHT = 220;
const LEFT = 52;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 40;

// Shapes of points around (0, 0).
const SHAPES = [
  "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "M-3.6 -3.6h7.2v7.2h-7.2z", "M0 -4.8l4.6 8h-9.2z",
  "M0 -5l5 5l-5 5l-5 -5z", "M0 4.8l4.6 -8h-9.2z", "M-1.5 -4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
];

export class Curves {
  constructor() {
    this.shown = null;
    this.node = el("section", { class: "sr-curves", "aria-label": t("train.curves") });
  }

  // `run` is what the server tells of a retraining.
  show({ name, metrics, classes, epochs }) {
    // Whoever reads a table keeps it: only a new epoch draws anything.
    const text = JSON.stringify([name, metrics, classes, epochs]);
    if (text === this.shown) return;
    this.shown = text;
    if (!metrics.length) {
      this.node.replaceChildren(el("p", { class: "sr-empty", text: t("train.curvesWait") }));
      return;
    }
    const open = this.node.querySelector("details")?.open ?? false;
    const last = Math.max(epochs || 1, metrics.at(-1).epoch);
    const best = bestRow(metrics);
    const line = (key, color) => [{ name: t(key), color, points: column(metrics, key) }];
    const perClass = classes.map(({ name: label, color }, i) => ({
      name: label, color, points: metrics.map((row) => [row.epoch, row.ious[i] ?? null]),
    }));
    this.node.replaceChildren(
      el("div", { class: "sr-curve-row" },
        chart(t("train.curveLoss"), t("train.axisLoss"), line("train.axisLoss", "#0072b2"), { last }),
        chart(t("train.curveMiou"), t("train.axisMiou"), line("train.axisMiou", "#0072b2"),
          { last, top: 1, best }),
        chart(t("train.curveClasses"), t("train.axisIou"), perClass, { last, top: 1, legend: true })),
      table(metrics, classes, best, open));
  }
}

export function bestRow(metrics) {
  const scored = metrics.filter((row) => row.miou !== null);
  // Of two equal ones the first was kept.
  return scored.reduce((best, row) => (best === null || row.miou > best.miou ? row : best), null);
}

function column(metrics, key) {
  const name = key === "train.axisLoss" ? "loss" : "miou";
  return metrics.map((row) => [row.epoch, row[name]]);
}

// A chart with its title. `last` is the last epoch on the axis, `top` the end of the other axis, if it
// is known; `best` is marked.
function chart(title, axis, series, { last, top = null, best = null, legend = false }) {
  const values = series.flatMap(({ points }) => points.map(([, y]) => y)).filter((y) => y !== null);
  const [low, high] = top === null ? around(values) : [0, top];
  const x = (epoch) => LEFT + ((epoch - 1) / Math.max(1, last - 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const said = series.map(({ name, points }) => {
    const [epoch, value] = points.at(-1);
    return t("train.chartSaid", { title: legend ? name : title, last: shownValue(value), epoch });
  });
  const drawing = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "sr-curve", role: "img",
    "aria-label": legend ? `${title}: ${said.join("; ")}` : said.join("; "),
  }, ...grid(x, y, last, ticks(low, high, 5), axis));
  series.forEach((one, i) => drawing.append(...drawn(one, i, x, y)));
  if (best) {
    const place = `translate(${x(best.epoch)} ${y(best.miou)})`;
    drawing.append(
      svg("circle", { r: 8, class: "sr-curve-best", transform: place }),
      text(t("train.best"), x(best.epoch), y(best.miou) + (best.miou > 0.9 ? 20 : -12),
        best.epoch === last && last > 1 ? "end" : best.epoch === 1 ? "start" : "middle"));
  }
  return el("figure", { class: "sr-curve-box" },
    el("figcaption", { text: title }), drawing, legend ? key(series) : null);
}

function drawn({ name, color, points }, i, x, y) {
  const known = points.filter(([, value]) => value !== null);
  const path = points.map(([epoch, value], at) => {
    if (value === null) return "";
    const before = at > 0 && points[at - 1][1] !== null;
    return `${before ? "L" : "M"}${x(epoch)} ${y(value)}`;
  }).join("");
  const marks = known.map(([epoch, value]) => svg("path", {
    d: SHAPES[i % SHAPES.length], transform: `translate(${x(epoch)} ${y(value)})`,
    class: "sr-curve-mark", fill: safe(color),
  }, svg("title", {}, t("train.point", { name, epoch, value: shownValue(value) }))));
  return [
    svg("path", { d: path, class: "sr-curve-casing" }),
    svg("path", { d: path, class: "sr-curve-line", stroke: safe(color) }),
    ...marks,
  ];
}

function grid(x, y, last, levels, axis) {
  const epochs = ticks(1, last, 8).filter(Number.isInteger);
  const bottom = HEIGHT - BOTTOM;
  return [
    ...levels.flatMap((level) => [
      svg("path", { d: `M${LEFT} ${y(level)}H${WIDTH - RIGHT}`, class: "sr-curve-grid" }),
      text(String(level), LEFT - 6, y(level) + 4, "end"),
    ]),
    svg("path", { d: `M${LEFT} ${TOP}V${bottom}H${WIDTH - RIGHT}`, class: "sr-curve-axis" }),
    ...epochs.map((epoch) => text(String(epoch), x(epoch), bottom + 16, "middle")),
    text(t("train.axisEpoch"), (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "middle"),
    svg("text", {
      transform: `translate(11 ${(TOP + bottom) / 2}) rotate(-90)`, "text-anchor": "middle",
    }, axis),
  ];
}

function key(series) {
  return el("ul", { class: "sr-curve-key" }, ...series.map(({ name, color, points }, i) => {
    const mark = svg("svg", { viewBox: "-8 -8 16 16", "aria-hidden": "true" },
      svg("path", { d: SHAPES[i % SHAPES.length], class: "sr-curve-mark", fill: safe(color) }));
    const last = points.findLast(([, value]) => value !== null);
    return el("li", {}, mark, el("span", { class: "sr-name", text: name, title: name }),
      // The table has more digits.
      el("span", { class: "sr-number", text: last ? score(last[1], 2) : t("train.noScore") }));
  }));
}

function table(metrics, classes, best, open) {
  const head = (label, ...more) => el("th", { scope: "col" }, ...more, label);
  const cell = (value) => el("td", { class: "sr-number", text: shownValue(value) });
  const rows = metrics.map((row) => el("tr", {},
    el("th", { scope: "row", text: row === best ? `${row.epoch} (${t("train.best")})` : row.epoch }),
    cell(row.loss), cell(row.miou), ...classes.map((_, i) => cell(row.ious[i] ?? null))));
  return el("details", { class: "sr-curve-numbers", open },
    el("summary", { text: t("train.numbers") }),
    el("div", { class: "sr-scroll", tabindex: "0", role: "region", "aria-label": t("train.numbers") },
      el("table", {},
        el("thead", {}, el("tr", {}, head(t("train.epoch")), head(t("train.curveLoss")),
          head(t("train.curveMiou")),
          ...classes.map(({ name, color }) => head(name, swatch(color))))),
        el("tbody", {}, ...rows))));
}

const shownValue = (value) => (value === null ? t("train.noScore") : score(value));
const safe = (color) => (/^#[0-9a-f]{6}$/i.test(color) ? color : "#000000");

// The range of a loss: from 0 where that costs little, with room above.
function around(values) {
  if (!values.length) return [0, 1];
  const low = Math.min(...values);
  const high = Math.max(...values);
  const from = low > 0 && low < high / 2 ? 0 : low;
  const room = (high - from) * 0.08 || Math.abs(high) * 0.1 || 1;
  return [from === 0 ? 0 : from - room, high + room];
}

// About `wanted` round numbers from low to high.
function ticks(low, high, wanted) {
  const rough = Math.max(high - low, 1e-9) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough * 0.999);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    found.push(Number((i * step).toFixed(digits)));
  }
  return found;
}

function text(content, x, y, anchor) {
  return svg("text", { x, y, "text-anchor": anchor }, content);
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
