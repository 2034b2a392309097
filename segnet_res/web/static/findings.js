// Right column of the Inspect tab: verdict, legend, scores, confusion matrix, download.

import { el, fileUrl, icon, percent, recall, remember, score, swatch } from "./dom.js";

const LIMIT_KEY = "segnet-res:limit";
const DEFAULT_LIMIT = 0.1;

export class Findings {
  // onToggle(index, visible) is called when a class is shown or hidden.
  constructor(onToggle) {
    this.onToggle = onToggle;
    this.limit = storedLimit();
    this.node = el("div", { class: "sr-findings" });
    this.clear();
  }

  clear() {
    this.node.replaceChildren(el("p", {
      class: "sr-empty",
      text: "Verdict, area of each class and scores appear here with a result.",
    }));
  }

  show(result, hidden) {
    this.node.replaceChildren(
      this.#verdict(result),
      this.#legend(result, hidden),
      ...(result.scores ? scoreParts(result) : [noReference(result)]),
      download(result),
    );
  }

  #verdict(result) {
    if (result.background === null) {
      return el("section", { class: "sr-verdict sr-neutral" }, icon("dash"), el("div", {},
        el("strong", { text: "No verdict" }),
        el("p", { text: "These classes have no background, so no area counts as a defect." })));
    }
    const marked = 1 - result.classes[result.background].share;
    const card = el("section", { class: "sr-verdict", role: "status" });
    const input = el("input", {
      type: "number", min: 0, max: 100, step: "any", value: this.limit, "aria-label":
      "Limit: share of the area that may be marked, in percent",
      oninput: () => {
        const value = Number.parseFloat(input.value);
        if (!Number.isFinite(value)) return;
        this.limit = Math.min(100, Math.max(0, value));
        remember("localStorage", LIMIT_KEY, String(this.limit));
        judge();
      },
    });
    const mark = el("span", { class: "sr-mark" });
    const words = el("strong");
    const area = el("span");
    const judge = () => {
      const [state, text, sign] = judged(marked, this.limit / 100);
      card.className = `sr-verdict sr-${state}`;
      card.dataset.verdict = state;
      mark.replaceChildren(icon(sign));
      words.textContent = text;
      area.textContent = marked > 0 ? `${percent(marked)} of the area is marked` : "No area is marked";
    };
    judge();
    card.append(mark, el("div", {}, words,
      el("p", {}, area, el("label", { class: "sr-limit" }, "limit", input, "%"))));
    return card;
  }

  #legend(result, hidden) {
    const body = el("tbody");
    // Bars compare classes of interest: beside a background of 99 % all others would vanish.
    const shares = result.classes.filter((row) => row.index !== result.background);
    const largest = Math.max(...shares.map((row) => row.share), 1e-9);
    for (const row of result.classes) {
      const box = el("input", {
        type: "checkbox", checked: !hidden.has(row.index), "aria-label": `Show ${row.name}`,
        onchange: () => this.onToggle(row.index, box.checked),
      });
      const bar = el("span", { class: "sr-bar" }, swatch(row.color));
      const full = row.index === result.background ? row.share : row.share / largest;
      bar.firstChild.style.width = `${row.share > 0 ? Math.max(4, 100 * full) : 0}%`;
      const cells = [
        el("td", {}, el("label", { class: "sr-class" }, box, swatch(row.color),
          el("span", { class: "sr-index", text: row.index }),
          el("span", { class: "sr-name", text: row.name, title: row.name }))),
        el("td", { class: "sr-bar-cell" }, bar),
        el("td", { class: "sr-number", text: percent(row.share), title: `${row.pixels} pixels` }),
      ];
      if (result.scores) cells.push(iouCell(result.scores.ious[row.index]));
      body.append(el("tr", { "data-class": row.index }, ...cells));
    }
    const head = ["Show class", "", "area", ...(result.scores ? ["IoU"] : [])];
    return el("table", { class: "sr-legend" },
      el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col", text })))),
      body);
  }
}

function judged(marked, limit) {
  if (marked > limit) return ["fail", "Defects found", "bang"];
  if (marked > 0) return ["pass", "Within the limit", "tick"];
  return ["pass", "No defects found", "tick"];
}

function iouCell(value) {
  const title = value === null ? "In neither the picture's mask nor the reference" : null;
  return el("td", { class: "sr-number sr-iou", text: score(value), title });
}

function noReference(result) {
  const text = result.reference_error
    ? "No scores: the reference mask could not be used."
    : "Add a reference mask to see IoU, mIoU and errors.";
  return el("p", { class: "sr-empty", text });
}

function scoreParts(result) {
  const { miou, pixel_accuracy: accuracy, confusion } = result.scores;
  const card = (value, text, name, title) => el("div", { class: "sr-card", title },
    el("strong", { text: value, "data-score": name }), el("span", { text }));
  return [
    el("div", { class: "sr-cards" },
      card(score(miou), "mean IoU", "miou",
        "Mean over the classes that occur in the mask or the reference; absent ones are n/a"),
      card(percent(accuracy), "pixels correct", "accuracy", null)),
    el("p", { class: "sr-note", text: "Classes in neither mask nor reference are n/a and outside the mean." }),
    matrix(confusion, result.classes),
  ];
}

function matrix(confusion, classes) {
  const names = classes.map((row) => row.name);
  // Numbers as heads of columns: names would be cut, and the rows and the legend explain them.
  const heads = classes.map((row) => el("th", { scope: "col", title: row.name, "aria-label": row.name },
    swatch(row.color), String(row.index)));
  const body = confusion.map((row, i) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    const cells = row.map((count, j) => {
      const share = total > 0 ? count / total : 0;
      const cell = el("td", {
        text: total > 0 ? (100 * share).toFixed(1) : "-",
        title: `${names[i]} called ${names[j]}: ${count} pixels`,
        class: share > 0.65 ? "sr-strong" : null,
      });
      cell.style.setProperty("--share", share.toFixed(3));
      return cell;
    });
    return el("tr", {}, el("th", { scope: "row", title: names[i] },
      swatch(classes[i].color), `${i} ${names[i]}`), ...cells);
  });
  return el("figure", { class: "sr-matrix" },
    el("figcaption", {
      text: "Confusion matrix: row = reference, column = found, in % of the row",
    }),
    el("div", { class: "sr-scroll", tabindex: "0", role: "region", "aria-label": "Confusion matrix" },
      el("table", {}, el("thead", {}, el("tr", {}, el("td"), ...heads)), el("tbody", {}, ...body))));
}

function download(result) {
  const name = result.files.mask.split("/").at(-1);
  return el("a", { class: "sr-download", href: fileUrl(result.files.mask), download: name },
    icon("download"), "Download index mask (PNG)");
}

function storedLimit() {
  const value = Number.parseFloat(recall("localStorage", LIMIT_KEY));
  return value >= 0 && value <= 100 ? value : DEFAULT_LIMIT;
}
