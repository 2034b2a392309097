// The retrainings of everybody, newest first, each with its state in words.

import { el, icon, score } from "./dom.js";
import { t } from "./texts.js";

const SIGNS = {
  waiting: "dash", preparing: "dash", training: "swap", stopping: "dash", stopped: "dash",
  failed: "bang", finished: "tick", interrupted: "bang", damaged: "bang",
};

export class RunList {
  // onChoose(name) is called with the name of a retraining, or null for a new one.
  constructor({ onChoose }) {
    this.onChoose = onChoose;
    this.rows = new Map();
    this.shown = null;
    this.fresh = el("button", {
      type: "button", class: "sr-tool sr-run-fresh", onclick: () => onChoose(null),
    }, icon("upload"), t("train.fresh"));
    this.empty = el("p", { class: "sr-note", text: t("train.none") });
    this.list = el("ul", { class: "sr-run-list" });
    this.node = el("nav", { class: "sr-train-side", "aria-label": t("train.list") },
      this.fresh, el("h2", { text: t("train.list") }), this.empty, this.list);
  }

  update(runs) {
    this.empty.hidden = runs.length > 0;
    const names = new Set(runs.map((run) => run.name));
    for (const name of [...this.rows.keys()]) if (!names.has(name)) this.rows.delete(name);
    // Rows stay the same nodes, so that the focus stays where it is.
    const nodes = runs.map((run) => {
      if (!this.rows.has(run.name)) this.rows.set(run.name, this.#row(run.name));
      const row = this.rows.get(run.name);
      const state = run.stopping ? "stopping" : run.state;
      const words = stateWords(run);
      row.node.dataset.state = state;
      if (row.words !== words) row.state.replaceChildren(icon(SIGNS[state] ?? "dash"), words);
      row.words = words;
      return row.node;
    });
    const same = nodes.length === this.list.children.length
      && nodes.every((node, i) => node === this.list.children[i]);
    if (!same) this.list.replaceChildren(...nodes);
    this.mark(this.shown);
  }

  mark(name) {
    this.shown = name;
    current(this.fresh, name === null);
    for (const [own, row] of this.rows) current(row.button, own === name);
  }

  #row(name) {
    const state = el("span", { class: "sr-run-state" });
    const button = el("button", { type: "button", onclick: () => this.onChoose(name) },
      el("span", { class: "sr-run-name", text: name }), state);
    const node = el("li", { "data-run": name }, button);
    return { node, button, state, words: null };
  }
}

function current(button, is) {
  if (is) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
}

// The state of a retraining in some words.
export function stateWords({ state, stopping, ahead, step, of, miou }) {
  const share = of ? Math.floor((100 * step) / of) : 0;
  if (stopping) return t("train.stopping");
  if (state === "waiting" && ahead) return t("train.waitingFor", { ahead });
  if (state === "training") return t("train.trainingAt", { share });
  if (state === "finished" && miou !== null) return t("train.finishedWith", { miou: score(miou) });
  if (state === "stopped" && step) return t("train.stoppedAt", { share });
  if (state === "interrupted" && step) return t("train.interruptedAt", { share });
  return t(`train.${state}`);
}
