// The views of the viewer: what each of them paints over the picture, and its key.

import { ERRORS } from "./labels.js";
import { rgba } from "./paint.js";
import { t } from "./texts.js";

// In the order of the buttons and of their keys 1, 2, ...
//   layer    what is painted, by its name in `Viewer.layers`; null: nothing
//   blended  whether the opacity matters
//   border   whether only the borders of regions are drawn
export const VIEWS = {
  Overlay: { layer: "labels", blended: true },
  Image: { layer: null },
  Mask: { layer: "labels", bare: true },
  Outline: { layer: "labels", border: true },
  Confidence: { layer: "confidence", blended: true },
  Errors: { layer: "errors", blended: true },
  Unsure: { layer: "unsure", blended: true },
  Differences: { layer: "differences", blended: true },
};

// What is unusual about a view that cannot be chosen.
export const REASONS = {
  Confidence: "viewer.needsConfidence",
  Errors: "viewer.needsReference",
  Unsure: "viewer.needsPicture",
  Differences: "viewer.needsSecond",
};

// Vermilion, blue and yellow stay apart on grey metal for colour-blind eyes too.
const ERROR_KEY = [
  { code: ERRORS.falseAlarm, text: "viewer.falseAlarm", color: "#d55e00" },
  { code: ERRORS.missed, text: "viewer.missed", color: "#0072b2" },
  { code: ERRORS.wrongClass, text: "viewer.wrongClass", color: "#f0e442" },
  { code: ERRORS.found, text: "viewer.correct", color: "#ffffff" },
];

// matplotlib's "plasma": rises evenly in brightness, so that no kind of colour-blindness mixes it up.
const DOUBT = ["#0d0887", "#6a00a8", "#b12a90", "#e16462", "#fca636", "#f0f921"];

// Small doubts are the interesting ones, so they take most of the colours.
const strength = (doubt) => Math.sqrt(Math.min(1, Math.max(0, doubt)));

// The colour of each label, code or value of a view: Uint32Array(256), 0 = nothing.
export function tableOf(view, result, hidden) {
  if (view === "Confidence") return doubtTable((value) => (255 - value) / (255 - least(result)));
  if (view === "Unsure") return doubtTable((value) => value / 255);
  const table = new Uint32Array(256);
  if (view === "Errors") {
    for (const { code, color } of ERROR_KEY) table[code] = rgba(color);
  } else if (view === "Differences") {
    for (const { code, color } of result.differences) table[code] = rgba(color);
  } else {
    for (const { index, color } of result.classes) {
      const plain = index === result.background && view !== "Mask";
      if (!plain && !hidden.has(index)) table[index] = rgba(color);
    }
  }
  return table;
}

// The key of a view: {items: [{color, name}]} of things that are one or the other, {ramp, ticks} of
// values between two ends, or null where the legend beside the viewer tells all.
export function keyOf(view, result) {
  if (view === "Errors") {
    return { items: ERROR_KEY.map(({ color, text }) => ({ color, name: t(text) })) };
  }
  if (view === "Differences") return { items: result.differences };
  // The middle of the ramp stands for a quarter of the doubt: see `strength`.
  const ticks = [0, 0.25, 1];
  if (view === "Unsure") {
    return { name: t("viewer.disagreement"), ramp: DOUBT, ticks: ticks.map(asPercent) };
  }
  if (view !== "Confidence") return null;
  const span = 1 - least(result) / 255;
  return {
    name: t("viewer.confidence"), ramp: DOUBT, ticks: ticks.map((doubt) => asPercent(1 - doubt * span)),
  };
}

// No class wins with less than an even share.
function least(result) {
  return result.classes.length > 1 ? 255 / result.classes.length : 0;
}

function asPercent(share) {
  return t("viewer.percent", { number: Math.round(100 * share) });
}

function doubtTable(doubtOf) {
  const table = new Uint32Array(256);
  for (let value = 0; value < 256; value++) {
    const part = strength(doubtOf(value));
    // Where there is no doubt the picture stays as it is.
    const alpha = Math.round(255 * Math.min(1, 2 * part));
    if (alpha > 0) table[value] = rgba(between(part), alpha);
  }
  return table;
}

function between(part) {
  const place = part * (DOUBT.length - 1);
  const lower = Math.min(Math.floor(place), DOUBT.length - 2);
  const [a, b] = [DOUBT[lower], DOUBT[lower + 1]].map((color) => parseInt(color.slice(1), 16));
  const mixed = [16, 8, 0].map((shift) => {
    const [from, to] = [(a >> shift) & 255, (b >> shift) & 255];
    return Math.round(from + (to - from) * (place - lower)).toString(16).padStart(2, "0");
  });
  return `#${mixed.join("")}`;
}
