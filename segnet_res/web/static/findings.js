// Right column of the Inspect tab: verdict, sliders, legend, limits, scores, downloads.

import { el, icon } from "./dom.js";
import { legend } from "./legend.js";
import { scoreParts } from "./scores.js";
import { t } from "./texts.js";
import { VerdictCard } from "./verdict.js";

const DOWNLOADS = ["mask", "color", "overlay", "outline", "confidence", "errors", "json", "csv"];

export class Findings {
  // judge: JudgeControls. onToggle(index, visible): a class is shown or hidden. onLook(box): a
  // region is to be looked at. onDownload(kind): a file is wanted. onCorrect():
  // the mask is to be corrected.
  constructor({ judge, onToggle, onLook, onDownload, onCorrect }) {
    Object.assign(this, { judge, onToggle });
    this.verdict = new VerdictCard({ share: judge.share, onLook });
    this.empty = el("p", { class: "sr-empty", text: t("inspect.empty") });
    this.legend = el("div");
    this.scores = el("div", { class: "sr-score-parts" });
    this.downloads = el("section", { class: "sr-takeaway", "aria-label": t("inspect.downloads") });
    for (const kind of DOWNLOADS) {
      const button = el("button", {
        type: "button", class: "sr-download", "data-kind": kind, title: t(`inspect.downloadHelp-${kind}`),
        onclick: () => onDownload(kind),
      }, icon("download"), el("span", { text: t(`inspect.download-${kind}`) }));
      this.downloads.append(button);
    }
    this.correct = el("button", {
      type: "button", class: "sr-download", title: t("inspect.correctHelp"), onclick: onCorrect,
    }, icon("brush"), el("span", { text: t("inspect.correct") }));
    this.correct.hidden = true;
    // Sliders and limits stay the same nodes: whoever moves one keeps hold of it.
    this.node = el("div", { class: "sr-findings" }, this.empty, judge.sliders,
      this.legend, this.correct, judge.details, this.scores, this.downloads);
    this.clear();
  }

  clear() {
    this.verdict.node.remove();
    this.empty.hidden = false;
    this.legend.replaceChildren();
    this.scores.replaceChildren();
    this.downloads.hidden = this.correct.hidden = true;
  }

  // correctable: whether somebody may correct the mask.
  show(result, hidden, correctable) {
    this.empty.hidden = true;
    this.judge.showClasses(result.classes, result.background);
    this.verdict.show(result);
    if (!this.verdict.node.isConnected) this.node.prepend(this.verdict.node);
    this.legend.replaceChildren(legend(result, hidden, this.onToggle));
    this.scores.replaceChildren(...(result.scores ? scoreParts(result) : [noReference(result)]));
    this.downloads.hidden = false;
    this.correct.hidden = !correctable;
    this.downloads.querySelector("[data-kind=errors]").hidden = !result.scores;
  }
}

function noReference(result) {
  const key = result.reference_error ? "unusableReference" : "addReference";
  return el("p", { class: "sr-empty", text: t(`inspect.${key}`) });
}
