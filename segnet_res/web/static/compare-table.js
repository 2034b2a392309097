// What changes from A to B: headline numbers and a table by class, for one picture or for all.

import { el, fileUrl, icon, percent, score, swatch } from "./dom.js";
import { csvOf, jsonOf } from "./compare-numbers.js";
import { t } from "./texts.js";

// In the order of the codes of `segnet_res.web.comparison`: equal, without, and with a reference.
const CODES = ["equal", "onlyA", "onlyB", "otherClass", "rightA", "rightB", "bothWrong", "unlabelled"];

// What the viewer needs to paint and to name the differences.
export function differenceKey(codes) {
  return codes.map(({ color, pixels }, code) => ({ code, color, pixels, name: t(`compare.${CODES[code]}`) }))
    .filter(({ code, pixels }) => code > 0 && pixels > 0);
}

const grouped = (number) => number.toLocaleString("en");
const signed = (number, text) => (number > 0 ? `+${text}` : number < 0 ? `\u2212${text}` : text);

// total: what `summed` gives; models: [A, B]
export function headline(total) {
  const parts = differenceKey(total.codes).map(({ code, name, color, pixels }) =>
    el("li", { "data-code": CODES[code] }, swatch(color),
      el("span", { text: `${name} ${percent(pixels / total.pixels)}` })));
  const cards = [el("div", { class: "sr-card" },
    el("strong", { text: percent(total.differing / total.pixels), "data-number": "differ" }),
    el("span", { text: t("compare.differ") }))];
  if (total.scores) {
    const [a, b] = total.scores.map(({ miou }) => miou);
    const both = a !== null && b !== null;
    cards.push(el("div", { class: "sr-card" },
      el("strong", { "data-number": "miou" }, `${score(a)} → ${score(b)} `,
        both ? change(b - a, score(Math.abs(b - a))) : null),
      el("span", { text: t("compare.miouChange") })));
  }
  return [el("div", { class: "sr-cards" }, ...cards), el("ul", { class: "sr-compare-codes" }, ...parts)];
}

export function changeTable(total, background, hidden, onToggle) {
  const scored = total.scores !== null;
  const heads = [["className"], ["areaA"], ["areaB"], ["areaChange"], ["regions", "regionsHelp"],
    ...(scored ? [["iou", "iouHelp"]] : [])];
  const head = heads.map(([key, help]) => el("th", {
    scope: "col", text: t(`compare.${key}`), title: help ? t(`compare.${help}`) : null,
  }));
  const rows = total.classes.map((row, i) => {
    const box = el("input", {
      type: "checkbox", checked: !hidden.has(row.index), "aria-label": t("compare.show", { name: row.name }),
      onchange: () => onToggle(row.index, box.checked),
    });
    return el("tr", { "data-class": row.index },
      el("th", { scope: "row" }, el("label", { class: "sr-class" }, box, swatch(row.color),
        el("span", { class: "sr-name", text: row.name, title: row.name }))),
      ...areaCells(row), regionCell(row, background),
      scored ? iouCell(total.scores.map(({ ious }) => ious[i])) : null);
  });
  return el("div", { class: "sr-scroll", tabindex: "0", role: "group", "aria-label": t("compare.changesTitle") },
    el("table", { class: "sr-changes" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)));
}

function areaCells({ sides }) {
  const cells = sides.map((side) => (side === null
    ? unknown()
    : twoLines(percent(side.share), t("compare.px", { number: grouped(side.pixels) }))));
  const [a, b] = sides.map((side) => side ?? { share: 0, pixels: 0 });
  const [share, pixels] = [b.share - a.share, b.pixels - a.pixels];
  const points = t("compare.points", { number: (100 * Math.abs(share)).toFixed(2) });
  cells.push(twoLines(signed(pixels, points),
    t("compare.px", { number: signed(pixels, grouped(Math.abs(pixels))) })));
  return cells;
}

function regionCell({ index, sides }, background) {
  if (index === background) return el("td", { class: "sr-number", text: "–" });
  const [a, b] = sides.map((side) => (side === null ? "–" : grouped(side.regions)));
  return el("td", { class: "sr-number sr-regions", text: `${a}\u00a0→ ${b}` });
}

function iouCell([a, b]) {
  if (a === null && b === null) return el("td", { class: "sr-number", title: t("compare.absent"), text: "n/a" });
  const both = a !== null && b !== null;
  return el("td", { class: "sr-number" }, el("span", { text: `${score(a)} → ${score(b)}` }),
    el("small", {}, both ? change(b - a, score(Math.abs(b - a))) : "n/a"));
}

// The sign tells better from worse, the colour only repeats it.
function change(value, text) {
  const kind = value > 0 ? "better" : value < 0 ? "worse" : "same";
  return el("span", { class: `sr-change sr-${kind}`, text: signed(value, text) });
}

function twoLines(first, second) {
  return el("td", { class: "sr-number" }, el("span", { text: first }), el("small", { text: second }));
}

function unknown() {
  return el("td", { class: "sr-number", title: t("compare.unknownClass"), text: "–" });
}

// Everything that is seen as files; `files` is null where only numbers are.
export function downloads(total, models, files, stem) {
  const link = (key, path) => el("a", {
    class: "sr-download", href: fileUrl(path), download: path.split("/").at(-1),
  }, icon("download"), t(`compare.${key}`));
  const button = (key, type, make) => el("button", {
    type: "button", class: "sr-download",
    onclick: () => save(make(total, models), type, `${stem}_comparison.${key}`),
  }, icon("download"), t(`compare.${key}`));
  const links = files ? [
    link("maskA", files.masks[0]), link("maskB", files.masks[1]), link("map", files.differences),
  ] : [];
  return el("div", { class: "sr-compare-downloads", role: "group", "aria-label": t("compare.downloads") },
    ...links, button("csv", "text/csv", csvOf), button("json", "application/json", jsonOf));
}

function save(text, type, name) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
