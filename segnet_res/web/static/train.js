// The Train tab: a checkpoint retrained on new pictures. Puts list, form and the retraining that is
// looked at together, and asks again and again how far all of them are.

import { Asker } from "./asking.js";
import { el, recall, remember } from "./dom.js";
import { t } from "./texts.js";
import { TrainForm } from "./train-form.js";
import { RunList } from "./train-list.js";
import { RunView } from "./train-run.js";

// Which retraining a page shows, after a reload as well; empty: the form.
const SHOWN_KEY = "segnet-res:train";

const BUSY_MS = 1000;
const IDLE_MS = 4000;

export function start(parts) {
  new TrainTab(parts);
}

class TrainTab {
  constructor({ element, value, onValue, send }) {
    this.element = element;
    this.asker = new Asker({ value, onValue, send: send.ask });
    this.shown = recall("sessionStorage", SHOWN_KEY) || null;
    this.polling = false;
    this.visible = false;
    this.runs = [];
    this.#build();
    this.#show(this.shown, false);
    // What was added since is listed when the tab is looked at.
    new IntersectionObserver((entries) => {
      this.visible = entries.at(-1).isIntersecting;
      if (!this.visible) return;
      this.#refresh();
      this.#poll();
    }).observe(element);
    document.addEventListener("visibilitychange", () => this.#poll());
    // A checkpoint was promoted: the one to go on from may be another.
    document.addEventListener("segnet-res:model", () => this.visible && this.#refresh());
  }

  #build() {
    this.list = new RunList({ onChoose: (name) => this.#show(name, true) });
    this.form = new TrainForm({
      ask: (fields) => this.asker.ask(fields),
      onStart: (name, form) => this.#start(name, form),
      onRefresh: () => this.#refresh(),
    });
    this.view = new RunView({ onAct: (action, fields) => this.#act(action, fields) });
    this.alert = el("div", { class: "sr-alert", role: "alert", hidden: true });
    this.element.classList.add("sr-train");
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", t("train.tab"));
    this.element.replaceChildren(this.list.node,
      el("div", { class: "sr-train-main" }, this.alert, this.form.node, this.view.node));
  }

  async #refresh() {
    try {
      this.form.show(await this.asker.ask({ action: "choices" }));
      this.element.dataset.choices = "listed";
    } catch (error) {
      this.#fail(error.message);
    }
  }

  #show(name, moved) {
    this.shown = name;
    remember("sessionStorage", SHOWN_KEY, name ?? "");
    this.form.node.hidden = name !== null;
    this.view.node.hidden = name === null || this.view.run?.name !== name;
    this.list.mark(name);
    this.#fail(null);
    if (!moved) return;
    if (name === null) this.form.node.querySelector("h2").focus();
    else this.#ask({ action: "watch", run: name }).then(() => this.view.title.focus());
  }

  async #start(name, form) {
    const reply = await this.asker.ask({ action: "start", name, form });
    this.#show(name, false);
    this.#receive(reply);
    this.view.title.focus();
  }

  async #act(action, fields = {}) {
    await this.#ask({ action, run: this.shown, ...fields });
    this.view.release();
  }

  async #ask(fields) {
    try {
      this.#receive(await this.asker.ask(fields));
      this.#fail(null);
    } catch (error) {
      this.#fail(error.message);
    }
  }

  async #poll() {
    if (this.polling) return;
    this.polling = true;
    while (this.visible && document.visibilityState === "visible") {
      const failed = this.failed;
      try {
        const reply = await this.asker.ask({ action: "watch", run: this.shown });
        this.#receive(reply);
        // What an act of somebody's ended in stays to be read.
        if (failed === "poll") this.#fail(null);
      } catch (error) {
        this.#fail(error.message, "poll");
      }
      const busy = this.runs.some(({ state }) => ["waiting", "preparing", "training"].includes(state));
      await new Promise((done) => setTimeout(done, busy ? BUSY_MS : IDLE_MS));
    }
    this.polling = false;
  }

  #receive({ runs, run }) {
    this.runs = runs;
    this.list.update(runs);
    this.form.setTaken(runs.map(({ name }) => name));
    this.element.dataset.runs = String(runs.length);
    if (this.shown === null) return;
    // An answer to what was looked at before says nothing of what is looked at now.
    if (run === null || run.name !== this.shown) {
      if (runs.some(({ name }) => name === this.shown)) return;
      this.view.node.hidden = true;
      this.#show(null, false);
      this.#fail(t("train.gone"));
      return;
    }
    this.view.show(run, runs.find(({ name }) => name === run.name));
    this.view.node.hidden = false;
    this.element.dataset.ready = `${run.name}:${run.state}`;
  }

  #fail(sentence, whence = "act") {
    this.failed = sentence ? whence : null;
    this.alert.textContent = sentence ?? "";
    this.alert.hidden = !sentence;
  }
}
