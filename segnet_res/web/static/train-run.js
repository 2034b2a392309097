// One retraining: how far it is, what can be done with it, its curves, and what it learns from.

import { el, icon } from "./dom.js";
import { duration } from "./jobs.js";
import { t } from "./texts.js";
import { Curves } from "./train-curves.js";
import { stateWords } from "./train-list.js";

const RESUMABLE = ["stopped", "failed", "interrupted"];
// More of them would push the curves off the screen.
const MOST_NOTES = 4;
const NOTES = { stopped: "stoppedNote", interrupted: "interruptedNote" };

export class RunView {
  // onAct(action, fields) asks the server for "stop" or "resume".
  constructor({ onAct }) {
    this.run = null;
    this.said = new Map();
    this.title = el("h2", { class: "sr-run-title", tabindex: "-1" });
    this.state = el("p", { class: "sr-run-now" });
    this.fill = el("span", { class: "sr-job-fill" });
    this.track = el("div", { class: "sr-job-track", role: "progressbar", "aria-valuemin": "0" }, this.fill);
    this.line = el("p", { class: "sr-run-line" });
    this.doing = el("p", { class: "sr-note sr-run-doing" });
    this.estimate = el("p", { class: "sr-run-estimate" });
    this.aloud = el("span", { class: "sr-aloud", role: "status" });
    this.failure = el("div", { class: "sr-alert", role: "alert", hidden: true });
    this.advice = el("p", { class: "sr-run-advice" });
    const button = (key, act, name) => el("button", {
      type: "button", class: key === "compare" || key === "leaveOutNow" ? "sr-primary" : "sr-tool",
      "data-act": key,
      onclick: (event) => {
        event.currentTarget.disabled = true;
        act();
      },
    }, icon(name), t(`train.${key}`));
    this.buttons = {
      stop: button("stop", () => onAct("stop"), "cross"),
      leaveOutNow: button("leaveOutNow", () => onAct("resume", { leave_out: true }), "tick"),
      resume: button("resume", () => onAct("resume"), "swap"),
      compare: button("compare", () => this.#compare(), "swap"),
    };
    this.log = el("details", { class: "sr-run-log" }, el("summary", { text: t("train.log") }), el("pre"));
    this.notes = el("details", { class: "sr-run-notes" });
    this.curves = new Curves();
    this.facts = el("section", { class: "sr-run-facts", "aria-label": t("train.facts") });
    this.node = el("article", { class: "sr-run" },
      el("header", {}, this.title, this.state), this.track, this.line, this.doing, this.failure,
      this.estimate, this.advice, el("div", { class: "sr-run-buttons" }, ...Object.values(this.buttons)),
      this.log, this.notes, this.curves.node, this.facts, this.aloud);
  }

  // `run` is what the server tells in full, `short` its entry of the list.
  show(run, short) {
    const changed = run.name !== this.run?.name;
    this.run = run;
    if (changed) {
      this.said.clear();
      // A message of the one before must not be read out again.
      this.aloud.textContent = "";
    }
    this.node.dataset.state = run.stopping ? "stopping" : run.state;
    this.#set(this.title, run.name);
    this.#set(this.state, stateWords(short));
    this.#progress(run, short);
    this.#messages(run);
    this.#act(run);
    this.curves.node.hidden = !run.classes.length;
    this.curves.show(run);
    this.#facts(run);
    this.#tellAloud(run, short);
  }

  // The buttons can be pressed again; what was asked for did not happen.
  release() {
    if (this.run) this.#act(this.run);
  }

  #set(node, text) {
    if (this.said.get(node) === text) return;
    this.said.set(node, text);
    node.textContent = text;
    node.hidden = text === "";
  }

  #progress({ name, state, step, of, doing, epoch, epochs, rate, seconds_left: left, loss, estimate }, short) {
    const working = state === "preparing" || (state === "training" && doing !== "training");
    this.track.hidden = state === "damaged";
    this.track.setAttribute("aria-label", t("train.progress", { name }));
    this.track.classList.toggle("sr-run-unknown", state === "preparing");
    if (of) {
      this.track.setAttribute("aria-valuemax", String(of));
      this.track.setAttribute("aria-valuenow", String(step));
    } else this.track.removeAttribute("aria-valuenow");
    this.fill.style.width = `${of ? (100 * step) / of : 0}%`;
    const parts = [];
    if (state === "waiting" && short.ahead) {
      parts.push(t(short.ahead === 1 ? "train.queueOne" : "train.queue", { ahead: short.ahead }));
    }
    if (of) parts.push(t("train.stepOf", { step: step.toLocaleString("en"), of: of.toLocaleString("en") }));
    if (of && epoch) parts.push(t("train.epochOf", { epoch, epochs }));
    if (state === "training") {
      if (rate) parts.push(t("train.rate", { rate: rate.toFixed(rate < 9.95 ? 1 : 0) }));
      if (left !== null) parts.push(t("train.left", { time: duration(left) }));
      if (loss !== null) parts.push(t("train.loss", { loss: loss.toFixed(4) }));
    }
    this.#set(this.line, parts.join(" · "));
    this.track.setAttribute("aria-valuetext", parts.join(", ") || stateWords(short));
    this.#set(this.doing, working || state === "waiting" ? doing : "");
    const told = of && estimate && state !== "finished";
    this.#set(this.estimate, told
      ? t("train.estimate", { of: of.toLocaleString("en"), spoken: spoken(epochs), time: duration(estimate) }) : "");
  }

  #messages({ state, error, doing, notes, log, stopping, candidate }) {
    const failure = error ?? (state === "failed" ? doing : "");
    this.#set(this.failure, failure);
    const finished = state === "finished" && (candidate ? "finishedNote" : "missingCandidate");
    const advice = stopping ? "stoppingNote" : finished || NOTES[state];
    this.#set(this.advice, advice ? t(`train.${advice}`) : "");
    this.log.hidden = !log;
    this.#set(this.log.lastElementChild, log);
    const text = JSON.stringify(notes);
    if (this.said.get(this.notes) === text) return;
    this.said.set(this.notes, text);
    this.notes.hidden = !notes.length;
    this.notes.open = notes.length <= MOST_NOTES;
    this.notes.replaceChildren(el("summary", { text: t("train.notes", { count: notes.length }) }),
      el("ul", {}, ...notes.map((note) => el("li", { text: note }))));
  }

  #act({ state, stopping, leave_out: leaveOut, candidate }) {
    const { stop, leaveOutNow, resume, compare } = this.buttons;
    const active = ["waiting", "preparing", "training"].includes(state);
    const wanted = [
      [stop, active, stopping], [leaveOutNow, leaveOut, false],
      [resume, RESUMABLE.includes(state) && !leaveOut, false], [compare, candidate === true, false],
    ];
    for (const [button, shown, disabled] of wanted) {
      // The focus must not fall out of the page when its button goes.
      if (!shown && document.activeElement === button) this.title.focus({ preventScroll: true });
      button.hidden = !shown;
      button.disabled = disabled;
    }
  }

  #compare() {
    this.buttons.compare.disabled = false;
    document.dispatchEvent(new CustomEvent("sr-candidate", { detail: { run: this.run.name } }));
  }

  #facts({ request, plan }) {
    const text = JSON.stringify([request, plan]);
    if (this.said.get(this.facts) === text) return;
    this.said.set(this.facts, text);
    if (!request) return this.facts.replaceChildren();
    const rows = el("dl");
    const add = (key, value) => {
      if (value) rows.append(el("dt", { text: t(`train.${key}`) }), el("dd", { text: value }));
    };
    const listed = (names) => names.join(", ") || t("train.nothing");
    add("factParent", request.parent);
    add("factNew", request.dataset);
    add("factOld", listed(request.bases));
    add("factGolden", listed(request.goldens));
    add("factClasses", classChanges(request, plan));
    add("factBy", request.by);
    add("factTime", request.minutes === null ? "" : t("train.factBudget", { minutes: request.minutes }));
    add("factOptions", plan && t("train.factOptionsText", {
      ...plan, spoken: spoken(plan.epochs), lr: Number(plan.lr).toPrecision(2), share: Math.round(100 * plan.new_share),
    }));
    this.facts.replaceChildren(el("h3", { text: t("train.facts") }), rows);
  }

  // Every quarter is told to those who listen, and whatever changes the state.
  #tellAloud({ name, state, step, of }, short) {
    const told = `${name} ${state} ${short.ahead} ${of ? Math.floor((4 * step) / of) : 0}`;
    if (this.told === told) return;
    // Not at the first look: the whole article has just been opened.
    if (this.told?.startsWith(`${name} `)) this.aloud.textContent = `${name}: ${stateWords(short)}`;
    this.told = told;
  }
}

function spoken(epochs) {
  return t(epochs === 1 ? "train.epochCountOne" : "train.epochCount", { epochs });
}

function classChanges({ renamed, dropped }, plan) {
  const parts = [];
  if (plan?.added.length) parts.push(t("train.factAdded", { names: plan.added.join(", ") }));
  for (const [old, name] of Object.entries(renamed)) parts.push(t("train.factRenamed", { old, name }));
  for (const [old, name] of Object.entries(dropped)) {
    parts.push(t(name === null ? "train.factDropped" : "train.factDroppedAs", { old, name }));
  }
  return parts.join("; ") || (plan ? t("train.factSame") : "");
}
