// What is compared: a candidate, and the golden set.

import { el, recall, remember } from "./dom.js";
import { t } from "./texts.js";

const GOLDEN_KEY = "segnet-res:golden";

export class CandidateChoice {
  // onStart({candidate, golden})
  constructor({ onStart }) {
    this.isBusy = false;
    this.candidates = el("select", { id: "sr-promote-candidate", onchange: () => this.#update() });
    this.goldens = el("select", {
      id: "sr-promote-golden", onchange: () => {
        remember("localStorage", GOLDEN_KEY, this.goldens.value);
        this.#update();
      },
    });
    this.button = el("button", {
      type: "button", class: "sr-primary", text: t("promote.start"), "aria-describedby": "sr-promote-why",
      onclick: () => onStart(this.asked),
    });
    this.why = el("p", { class: "sr-note", id: "sr-promote-why" });
    this.broken = el("ul", { class: "sr-problems", hidden: true });
    this.node = el("aside", { class: "sr-promote-choice", "aria-label": t("promote.choice") },
      field("sr-promote-candidate", t("promote.candidate"), this.candidates),
      field("sr-promote-golden", t("promote.golden"), this.goldens), this.broken, this.button, this.why);
    this.serving = null;
    this.#update();
  }

  get ready() {
    return !this.isBusy && this.candidates.value !== "" && this.goldens.value !== "";
  }

  get asked() {
    return { candidate: JSON.parse(this.candidates.value), golden: this.goldens.value };
  }

  set busy(busy) {
    this.isBusy = busy;
    this.#update();
  }

  focus() {
    (this.candidates.value ? this.goldens : this.candidates).focus();
  }

  // Choose the candidate of a retraining, if it has one.
  choose(run) {
    const wanted = described("run", run);
    if ([...this.candidates.options].some(({ value }) => value === wanted)) this.candidates.value = wanted;
    this.#update();
  }

  // What can be chosen now; what is chosen stays.
  show({ runs, checkpoints, goldens, serving }) {
    this.serving = serving;
    const group = (label, kind, names) => (names.length === 0 ? [] : [el("optgroup", { label },
      ...names.map((name) => el("option", { value: described(kind, name), text: name })))]);
    refill(this.candidates, [...group(t("promote.runs"), "run", runs),
      ...group(t("promote.checkpoints"), "checkpoint", checkpoints)], this.candidates.value);
    const usable = goldens.filter(({ error }) => !error);
    refill(this.goldens, usable.map((one) => el("option", {
      value: one.name, text: t("promote.goldenOption", one),
    })), this.goldens.value || recall("localStorage", GOLDEN_KEY));
    const broken = goldens.filter(({ error }) => error);
    this.broken.replaceChildren(...broken.map((one) => el("li", { text: t("promote.goldenBroken", one) })));
    this.broken.hidden = broken.length === 0;
    this.#update();
  }

  #update() {
    this.candidates.disabled = this.isBusy || this.candidates.options.length === 0;
    this.goldens.disabled = this.isBusy || this.goldens.options.length === 0;
    this.button.disabled = !this.ready;
    this.why.textContent = this.#reason();
  }

  #reason() {
    if (this.isBusy) return t("promote.running");
    if (!this.candidates.value) return t("promote.noCandidate");
    if (!this.goldens.value) return t("promote.noGolden");
    return this.serving ? t("promote.withServing", { serving: this.serving }) : t("promote.withParent");
  }
}

function described(kind, name) {
  return JSON.stringify({ kind, name });
}

// Put new options into a list; one that is open would close if it were filled without need.
function refill(select, nodes, wanted) {
  const text = (list) => JSON.stringify(list.flatMap((node) => (node.options ? [...node.options] : [node]))
    .map(({ value, text: shown }) => [value, shown]));
  const options = nodes.flatMap((node) => (node.tagName === "OPTGROUP" ? [...node.children] : [node]));
  if (text([...select.options]) !== text(options)) select.replaceChildren(...nodes);
  if (options.some(({ value }) => value === wanted)) select.value = wanted;
}

export function field(id, text, input) {
  return el("div", { class: "sr-field" }, el("label", { for: id, text }), input);
}
