// Scores before and after: headline numbers, and a table of the classes with intervals.

import { el, fileUrl, icon, percent, score, swatch } from "./dom.js";
import { t } from "./texts.js";

const SIGNS = { better: "tick", worse: "bang", unclear: "dash", equal: "dash", "too few": "dash" };

// comparison: as `Comparison.to_dict`, with a colour for each class; files: {json}
export function scoreView(comparison, files) {
  return [cards(comparison), table(comparison), el("a", {
    class: "sr-download sr-promote-json", href: fileUrl(files.json), download: "comparison.json",
  }, icon("download"), t("promote.json"))];
}

function cards({ miou, overkill, escape, flips }) {
  const card = (key, ...children) => el("div", { class: "sr-card", "data-card": key }, ...children);
  const rate = (key, rates) => {
    const [before, after] = [rates.pictures.before, rates.pictures.after].map(share);
    return card(key, el("strong", { text: t("promote.change", { before, after }) }),
      el("span", { text: t(`promote.${key}`) }),
      el("span", { text: t("promote.ofParts", { before: share(rates.parts.before), after: share(rates.parts.after) }) }));
  };
  const crumbs = flips.small ? [el("span", { text: t("promote.crumbs", flips) })] : [];
  return el("div", { class: "sr-cards", role: "group", "aria-label": t("promote.scores") },
    card("miou", el("strong", { text: t("promote.change", { before: score(miou.before), after: score(miou.after) }) }),
      el("span", { text: t("promote.miou", { count: miou.classes }) }),
      ...(miou.interval ? [verdict(miou), el("span", {
        text: t("promote.differenceOf", { difference: signed(miou.difference), range: range(miou.interval) }),
      })] : [])),
    card("defects", el("strong", { text: t("promote.change", { before: flips.found_before, after: flips.found_after }) }),
      el("span", { text: t("promote.defects", { count: flips.defects }) }), ...crumbs),
    rate("overkill", overkill), rate("escape", escape));
}

function share({ count, of: all }) {
  return all ? percent(count / all, 1) : "n/a";
}

function table({ classes, miou }) {
  // One scale for all rows, so that bars can be compared.
  const limits = [...classes.map(({ iou }) => iou.interval), miou.interval].filter(Boolean).flat();
  const widest = Math.max(0.01, ...limits.map(Math.abs));
  const heads = ["className", "before", "after", "difference", "interval", "verdict", "parts"];
  const head = heads.map((key, i) => el("th", {
    scope: "col", class: i && key !== "verdict" && key !== "interval" ? "sr-number" : null, text: t(`promote.${key}`),
    title: key === "parts" ? t("promote.partsTitle") : null,
  }));
  const rows = classes.map((row) => classRow(row, widest));
  return el("div", { class: "sr-scroll", tabindex: "0", role: "region", "aria-label": t("promote.table") },
    el("table", { class: "sr-promote-table" },
      el("caption", {}, el("span", { class: "sr-aloud", text: t("promote.table") })),
      el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)));
}

function classRow({ name, color, known, parts, iou }, widest) {
  const value = (ratio, knows) => el("td", {
    class: "sr-number", text: knows ? score(ratio) : t("promote.unknown"), title: knows ? null : t("promote.unknownTitle"),
  });
  const judged = iou.difference !== null && iou.interval !== null;
  return el("tr", { "data-class": name },
    el("th", { scope: "row" }, el("span", { class: "sr-class-name" }, swatch(color),
      el("span", { class: "sr-name", text: name }))),
    value(iou.before, known[0]), value(iou.after, known[1]),
    el("td", { class: "sr-number", text: judged ? signed(iou.difference) : "" }),
    el("td", { class: "sr-promote-interval" }, ...(judged ? [band(iou.interval, widest),
      el("span", { class: "sr-interval-text", text: range(iou.interval) })] : [])),
    el("td", {}, judged ? verdict(iou) : ""),
    el("td", { class: "sr-number", text: String(parts) }));
}

// A bar around zero, which stands in the middle; the numbers stand beside it.
function band([low, high], widest) {
  const place = (value) => 50 + (50 * value) / widest;
  const bar = el("span", { class: "sr-band-fill" });
  bar.style.left = `${place(low)}%`;
  bar.style.width = `${Math.max(1.5, place(high) - place(low))}%`;
  return el("span", { class: "sr-band", "aria-hidden": "true" }, bar, el("span", { class: "sr-band-zero" }));
}

function verdict({ verdict: word }) {
  return el("span", { class: "sr-verdict-word", "data-verdict": word, title: t(`promote.${word}Title`) },
    icon(SIGNS[word]), t(`promote.${word}`));
}

function signed(value) {
  const text = score(Math.abs(value));
  // What is rounded to nothing has no sign.
  if (Number(text) === 0) return text;
  return value > 0 ? `+${text}` : value < 0 ? `\u2212${text}` : text;
}

function range([low, high]) {
  return t("promote.to", { low: signed(low), high: signed(high) });
}
