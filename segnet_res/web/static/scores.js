// Scores against a reference mask: cards, a table of classes, the confusion matrix.

import { el, percent, score, swatch } from "./dom.js";
import { t } from "./texts.js";

const COLUMNS = ["iou", "dice", "precision", "recall", "border_iou"];

export function scoreParts(result) {
  const { scores, classes } = result;
  const counted = scores.classes.filter((row) => row.iou !== null).length;
  const card = (value, text, name) => el("div", { class: "sr-card" },
    el("strong", { text: value, "data-score": name }), el("span", { text }));
  return [
    el("div", { class: "sr-cards" },
      card(score(scores.miou), t("inspect.miou"), "miou"),
      card(percent(scores.pixel_accuracy), t("inspect.accuracy"), "accuracy")),
    el("p", { class: "sr-note", text: t("inspect.policy", { counted, classes: classes.length }) }),
    classTable(scores.classes, classes),
    matrix(scores.confusion, classes),
  ];
}

function classTable(rows, classes) {
  const heads = COLUMNS.map((key) => el("th", {
    scope: "col", text: t(`inspect.${key}`), title: t(`inspect.${key}Help`),
  }));
  const body = rows.map((row, i) => el("tr", { "data-class": i },
    el("th", { scope: "row", title: classes[i].name }, swatch(classes[i].color),
      el("span", { class: "sr-name", text: classes[i].name })),
    ...COLUMNS.map((key) => el("td", {
      text: score(row[key]), title: row[key] === null ? absent(key, row) : null, "data-value": key,
    }))));
  return el("div", { class: "sr-scroll", tabindex: "0", role: "region", "aria-label": t("inspect.scores") },
    el("table", { class: "sr-scores" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col", text: t("inspect.class") }), ...heads)),
      el("tbody", {}, ...body)));
}

// Why a number is n/a.
function absent(key, row) {
  if (key === "precision" && row.iou !== null) return t("inspect.notFound");
  if (key === "recall" && row.iou !== null) return t("inspect.notInReference");
  return t("inspect.absent");
}

// The confusion matrix as a figure; `classes` are rows {index, name, color}.
export function matrix(confusion, classes) {
  const names = classes.map((row) => row.name);
  // Numbers as heads of columns: names would be cut, and the rows and the legend explain them.
  const heads = classes.map((row) => el("th", { scope: "col", title: row.name, "aria-label": row.name },
    swatch(row.color), String(row.index)));
  const body = confusion.map((row, i) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    const cells = row.map((count, j) => {
      const share = total > 0 ? count / total : 0;
      const cell = el("td", {
        text: total > 0 ? (100 * share).toFixed(1) : "–",
        title: t("inspect.called", { truth: names[i], found: names[j], number: count }),
      });
      cell.style.setProperty("--share", share.toFixed(3));
      return cell;
    });
    return el("tr", {}, el("th", { scope: "row", title: names[i] },
      swatch(classes[i].color), `${i} ${names[i]}`), ...cells);
  });
  return el("figure", { class: "sr-matrix" },
    el("figcaption", { text: t("inspect.matrixCaption") }),
    el("div", {
      class: "sr-scroll", tabindex: "0", role: "region", "aria-label": t("inspect.matrix"),
    }, el("table", {}, el("thead", {}, el("tr", {}, el("td"), ...heads)), el("tbody", {}, ...body))));
}
