// Right column of the Evaluate tab: how good the checkpoint is on the set, and how sure that is.

import { el, fileUrl, icon, percent, recall, remember, score, swatch } from "./dom.js";
import { count, field } from "./evaluate-set.js";
import { matrix } from "./scores.js";
import { t } from "./texts.js";

const DECISION_KEY = "segnet-res:evaluate-decision";

export class Totals {
  // onDecision("pixels" | "limits") is called when something else says what is defective.
  constructor({ onDecision }) {
    this.onDecision = onDecision;
    this.node = el("div", { class: "sr-findings sr-totals" });
    this.clear();
  }

  clear() {
    this.node.replaceChildren(el("p", { class: "sr-empty", text: t("evaluate.waitTotals") }));
  }

  // While the job runs: a score that is still going to change.
  wait(text) {
    this.node.replaceChildren(
      ...(text ? [el("p", { class: "sr-so-far", text })] : []),
      el("p", { class: "sr-empty", text: t("evaluate.waitTotals") }),
    );
  }

  // `reply` is the server's last answer on the job, `rows` all its pictures.
  show({ totals, files, classes, background, state, limits_error: broken, doubt: flatters }, rows) {
    const failed = rows.filter((row) => row.error).length;
    this.node.replaceChildren(...[
      ...notes(state, failed, broken, flatters),
      headline(totals),
      this.#decisions(totals, background),
      classTable(totals, classes),
      el("p", { class: "sr-note", text: `${t("evaluate.policy")} ${t("evaluate.intervals", {
        ...totals.enough, resamples: totals.assessment.resamples.toLocaleString("en"),
      })}` }),
      matrix(totals.confusion, classes),
      downloads(files),
    ].filter(Boolean));
  }

  // Overkill and escape, by one of the two things that can say what is defective.
  #decisions({ assessment, limits }, background) {
    const known = {
      ...(background === null ? {} : { pixels: assessment }),
      ...(limits ? { limits } : {}),
    };
    const names = Object.keys(known);
    if (!names.length) return null;
    const wanted = recall("localStorage", DECISION_KEY);
    const cards = el("div", { class: "sr-cards" });
    const choice = el("select", {
      id: "sr-evaluate-decision",
      onchange: () => {
        remember("localStorage", DECISION_KEY, choice.value);
        draw();
      },
    }, ...names.map((name) => el("option", {
      value: name, text: t(`evaluate.by_${name}`, { pixels: assessment.smallest }),
    })));
    choice.value = names.includes(wanted) ? wanted : names[0];
    const draw = () => {
      const { overkill, escape } = known[choice.value];
      cards.replaceChildren(rateCard("overkill", overkill), rateCard("escape", escape));
      this.onDecision(choice.value);
    };
    draw();
    return el("div", { class: "sr-decisions" }, field(t("evaluate.defective"), choice), cards,
      el("p", { class: "sr-note", text: t("evaluate.decisionsHelp") }));
  }
}

function notes(state, failed, broken, flatters) {
  const found = [];
  if (state.status === "stopped") found.push(t("evaluate.partial", { done: state.done, total: state.total }));
  if (failed) found.push(count("evaluate.failedRows", failed));
  if (broken) found.push(t("evaluate.limitsBroken", { reason: broken }));
  if (flatters) found.push(flatters);
  return found.map((text) => el("p", { class: "sr-totals-note" }, icon("bang"), text));
}

function headline({ miou, pixel_accuracy: accuracy, assessment }) {
  const main = el("div", { class: "sr-card sr-miou" },
    el("strong", { text: score(miou), "data-score": "set-miou" }),
    el("span", { text: t("evaluate.meanIou") }),
    interval(assessment.interval),
    el("span", { class: "sr-interval-text", text: told(assessment.interval) }),
    ...doubt(miou !== null && !assessment.enough));
  const share = el("div", { class: "sr-card" },
    el("strong", { text: percent(accuracy), "data-score": "set-accuracy" }),
    el("span", { text: t("evaluate.accuracy") }),
    el("span", { text: count("evaluate.pictureCount", assessment.pictures) }),
    el("span", { text: count("evaluate.partCount", assessment.parts) }));
  return el("div", { class: "sr-cards" }, main, share);
}

function rateCard(name, rates) {
  return el("div", { class: "sr-card", title: t(`evaluate.${name}Help`), "data-rate": name },
    el("strong", { text: rates.parts.of ? percent(rates.parts.value, 1) : "n/a" }),
    el("span", { text: t(`evaluate.${name}Title`) }),
    ...(rates.parts.of ? ["parts", "pictures"].map((unit) => rate(unit, rates[unit]))
      : [el("span", { text: t(`evaluate.${name}None`) })]),
    ...doubt(rates.parts.of > 0 && !rates.parts.enough));
}

function rate(unit, { count: number, of: all, value, interval: range }) {
  const key = unit === "parts" ? "evaluate.byPart" : "evaluate.byPicture";
  const text = t(key, { share: percent(value, 1), count: number, all });
  const title = range ? told(range.map((limit) => 100 * limit), 1, " %") : null;
  return el("span", { class: "sr-rate", text, title });
}

function classTable({ assessment, borders }, classes) {
  const body = assessment.classes.map((row, i) => {
    const name = el("td", {},
      el("span", { class: "sr-class-name" }, swatch(classes[i].color),
        el("span", { class: "sr-name", text: row.name, title: row.name })),
      ...doubt(row.iou !== null && !row.enough));
    const title = t("evaluate.seenTitle", {
      parts: row.parts, pictures: row.pictures, pixels: row.pixels.toLocaleString("en"),
    });
    return el("tr", { "data-class": i },
      name,
      el("td", { class: "sr-number sr-iou", text: score(row.iou) }),
      el("td", { class: "sr-interval-cell" }, interval(row.interval),
        el("span", { class: "sr-interval-text", text: row.interval ? short(row.interval) : "" })),
      el("td", { class: "sr-number", text: score(borders[i]) }),
      el("td", { class: "sr-number", text: String(row.parts), title }));
  });
  const heads = ["className", "iou", "intervalHead", "border", "seen"];
  return el("div", { class: "sr-scroll", tabindex: "0", role: "region", "aria-label": t("evaluate.classTable") },
    el("table", { class: "sr-class-table" },
      el("caption", {}, el("span", { class: "sr-aloud", text: t("evaluate.classTable") })),
      el("thead", {}, el("tr", {}, ...heads.map((key, i) =>
        el("th", { scope: "col", class: i ? "sr-number" : null, text: t(`evaluate.${key}`) })))),
      el("tbody", {}, ...body)));
}

// The interval as a bar from 0 to 1; its numbers stand beside it.
function interval(range) {
  const track = el("span", { class: "sr-interval", "aria-hidden": "true" });
  if (range) {
    const band = el("span");
    band.style.left = `${100 * range[0]}%`;
    band.style.width = `${Math.max(1, 100 * (range[1] - range[0]))}%`;
    track.append(band);
  }
  return track;
}

function told(range, digits = 3, unit = "") {
  if (!range) return t("evaluate.noInterval");
  const [low, high] = range.map((limit) => limit.toFixed(digits) + unit);
  return t("evaluate.interval", { low, high });
}

function short(range) {
  const [low, high] = range.map((limit) => limit.toFixed(2));
  return t("evaluate.intervalShort", { low, high });
}

function doubt(doubtful) {
  return doubtful ? [el("span", { class: "sr-doubt", text: t("evaluate.tooFew") })] : [];
}

function downloads(files) {
  const link = (kind, name) => el("a", {
    class: "sr-download", href: fileUrl(files[kind]), download: name, "data-file": kind,
  }, icon("download"), t(`evaluate.${kind}`));
  return el("div", { class: "sr-downloads", role: "group", "aria-label": t("evaluate.downloads") },
    link("csv", "pictures.csv"), link("json", "evaluation.json"));
}
