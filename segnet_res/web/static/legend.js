// The legend: each class with its area, its regions and a box that shows or hides it.

import { el, percent, swatch } from "./dom.js";
import { t } from "./texts.js";

// onToggle(index, visible) is called when a class is shown or hidden.
export function legend(result, hidden, onToggle) {
  const rows = result.classes.map((row) => legendRow(row, result, hidden, onToggle));
  const heads = [t("inspect.showClass"), t("inspect.area"), t("inspect.regions")];
  return el("table", { class: "sr-legend" },
    el("thead", {}, el("tr", {}, ...heads.map((text) => el("th", { scope: "col", text })))),
    el("tbody", {}, ...rows));
}

function legendRow(row, { classes, background }, hidden, onToggle) {
  const box = el("input", {
    type: "checkbox", checked: !hidden.has(row.index),
    "aria-label": t("inspect.show", { name: row.name }),
    onchange: () => onToggle(row.index, box.checked),
  });
  const bar = el("span", { class: "sr-bar", "aria-hidden": "true" }, swatch(row.color));
  bar.firstChild.style.width = `${width(row, classes, background)}%`;
  const name = el("td", {}, el("label", { class: "sr-class" }, box, swatch(row.color),
    el("span", { class: "sr-index", text: row.index }),
    el("span", { class: "sr-name", text: row.name, title: row.name })), bar);
  const area = el("td", { class: "sr-number" },
    el("span", { class: "sr-share", text: percent(row.share) }),
    el("small", { text: t("inspect.px", { number: grouped(row.pixels) }) }));
  return el("tr", { "data-class": row.index }, name, area, regions(row, background));
}

function regions(row, background) {
  if (row.index === background) {
    return el("td", { class: "sr-number", title: t("inspect.noRegions") }, el("span", { text: "–" }));
  }
  if (row.regions === 0) {
    return el("td", { class: "sr-number" }, el("span", { class: "sr-count", text: "0" }),
      el("small", { text: t("inspect.largestNone") }));
  }
  return el("td", { class: "sr-number" },
    el("span", { class: "sr-count", text: grouped(row.regions) }),
    el("small", {
      text: t("inspect.largest", { number: grouped(row.largest) }),
      title: t("inspect.largestTitle", { number: grouped(row.largest) }),
    }));
}

// Bars compare classes of interest: beside a background of 99 % all others would vanish.
function width(row, classes, background) {
  if (row.share === 0) return 0;
  if (row.index === background) return Math.max(4, 100 * row.share);
  const others = classes.filter((other) => other.index !== background);
  return Math.max(4, (100 * row.share) / Math.max(...others.map((other) => other.share)));
}

export function grouped(number) {
  return number.toLocaleString("en");
}
