// The verdict in words and icon, with its reasons.

import { el, icon, percent } from "./dom.js";
import { t } from "./texts.js";

const SIGNS = { pass: "tick", fail: "bang", neutral: "dash" };

export class VerdictCard {
  // share: the field of the limit of the area. onLook(box) is called to look at a region.
  constructor({ share, onLook }) {
    this.onLook = onLook;
    this.mark = el("span", { class: "sr-mark" });
    this.words = el("strong");
    this.area = el("span");
    this.judged = el("span", { class: "sr-judged" });
    this.limit = el("label", { class: "sr-limit" }, t("inspect.limit"), share, "%");
    this.reasons = el("ul", { class: "sr-reasons" });
    this.node = el("section", { class: "sr-verdict", role: "status" },
      this.mark, el("div", {}, this.words, el("p", {}, this.area, this.limit, this.judged), this.reasons));
  }

  show(result) {
    const { verdict, judged } = result;
    const { state, share } = verdict;
    this.node.className = `sr-verdict sr-${state}`;
    this.node.dataset.verdict = state;
    this.mark.replaceChildren(icon(SIGNS[state]));
    this.words.textContent = headline(verdict);
    if (share === null) this.area.textContent = t("inspect.noBackground");
    else if (share > 0) this.area.textContent = t("inspect.marked", { share: percent(share) });
    else this.area.textContent = t("inspect.noneMarked");
    const spec = judged.spec;
    this.limit.hidden = Boolean(spec) || share === null || verdict.error !== null;
    this.judged.textContent = spec
      ? t("inspect.judgedBy", { name: spec.title || spec.name, digest: spec.sha256.slice(0, 8) }) : "";
    this.judged.title = spec ? `SHA-256 ${spec.sha256}` : "";
    if (verdict.error !== null) return this.reasons.replaceChildren(el("li", { text: verdict.error }));
    // The limit of the area stands above already.
    const told = verdict.reasons.map((text, i) => ({ text, box: verdict.boxes[i], rule: verdict.rules[i] }))
      .filter(({ rule: [name, rule] }) => spec || name !== null || rule !== "max_share");
    this.reasons.replaceChildren(...told.map(({ text, box }) => this.#reason(text, box)));
  }

  #reason(text, box) {
    if (!box) return el("li", { text });
    const [x, y, width, height] = box;
    return el("li", {}, el("button", {
      type: "button", class: "sr-link", text, title: t("inspect.look"),
      onclick: () => this.onLook({ x, y, width, height }),
    }));
  }
}

function headline({ state, share, error }) {
  if (error !== null) return t("inspect.noVerdict");
  if (state === "neutral") return t("inspect.noLimit");
  if (state === "fail") return t("inspect.fail");
  return share === null || share > 0 ? t("inspect.within") : t("inspect.none");
}
