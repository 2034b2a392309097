// What the pictures of a batch are judged by: the limits and sliders of Inspect, told in words.

import { el } from "./dom.js";
import { count } from "./batch-source.js";
import { openTab } from "./tabs.js";
import { t } from "./texts.js";

const FIELDS = ["threshold", "min_region", "limits", "spec", "spec_name"];

export class BatchJudge {
  // onChange() is called when the limits in Inspect have changed.
  constructor({ onChange }) {
    this.list = el("ul", { class: "sr-batch-limits" });
    this.node = el("section", { class: "sr-card sr-batch-judge", "aria-label": t("batch.judgeTitle") },
      el("h2", { text: t("batch.judgeTitle") }), this.list,
      el("button", {
        type: "button", class: "sr-tool", text: t("batch.judgeChange"), onclick: () => openTab("inspect"),
      }));
    document.addEventListener("segnet-res:judge", () => {
      this.#tell();
      onChange();
    });
    this.#tell();
  }

  // The limits of now, as the server takes them.
  get now() {
    const judge = window.segnetResJudge ?? {};
    return Object.fromEntries(FIELDS.map((field) => [field, judge[field] ?? null]));
  }

  same(used) {
    return canonical(used) === canonical(this.now);
  }

  #tell() {
    const { threshold, min_region: least, limits, spec, spec_name: name } = this.now;
    const lines = [];
    const classes = Object.keys(limits?.classes ?? {}).length;
    if (spec) lines.push(t("batch.judgeFile", { name: name ?? "" }));
    else {
      if (typeof limits?.share === "number") lines.push(t("batch.judgeShare", { share: limits.share }));
      if (classes) lines.push(count("batch.judgeClasses", classes));
      if (!lines.length) lines.push(t("batch.judgeNone"));
    }
    if (threshold) lines.push(t("batch.judgeThreshold", { percent: threshold }));
    if (least > 1) lines.push(t("batch.judgeRegion", { pixels: least }));
    if (!threshold && !(least > 1)) lines.push(t("batch.judgeAll"));
    this.list.replaceChildren(...lines.map((text) => el("li", { text })));
  }
}

// Equal texts for equal values, whatever the order of keys.
function canonical(value) {
  return JSON.stringify(value, (_, part) => (part && typeof part === "object" && !Array.isArray(part)
    ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
    : part));
}
