// How far somebody has looked through what the model proposed.

import { el, icon } from "./dom.js";
import { t } from "./texts.js";

export class Review {
  // act: {next(), acceptRest()}
  constructor(act) {
    this.text = el("p", { class: "sr-review-text" });
    this.bar = el("progress", { max: 1, "aria-label": t("editor.reviewedBar") });
    const button = (name, sign, onclick) => el("button", {
      type: "button", class: "sr-tool sr-review-button", title: t(`editor.${name}Title`), onclick,
    }, icon(sign), el("span", { text: t(`editor.${name}`) }));
    this.next = button("nextRegion", "next", act.next);
    this.rest = button("acceptRest", "tick", act.acceptRest);
    this.node = el("div", { class: "sr-review", hidden: true }, el("h2", { text: t("editor.proposal") }),
      this.text, this.bar, this.next, this.rest);
  }

  // regions: what the model proposed, or null
  show(regions) {
    this.node.hidden = !regions;
    if (!regions) return;
    const { count } = regions;
    const left = regions.left.length;
    this.text.textContent = count === 0 ? t("editor.noRegions")
      : t("editor.reviewed", { done: count - left, count });
    this.bar.value = count ? 1 - left / count : 1;
    this.bar.hidden = this.next.hidden = this.rest.hidden = count === 0;
    this.next.disabled = this.rest.disabled = left === 0;
  }
}
