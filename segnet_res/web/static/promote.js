// Below the retrainings of the Train tab: a candidate is compared with what serves, and promoted.

import { Asker } from "./asking.js";
import { el, recall, remember } from "./dom.js";
import { JobBar, hasEnded } from "./jobs.js";
import { CandidateChoice } from "./promote-choice.js";
import { FlipView } from "./promote-flips.js";
import { PromoteForm } from "./promote-form.js";
import { scoreView } from "./promote-scores.js";
import { t } from "./texts.js";

// By this a page finds its comparison again after a reload.
const JOB_KEY = "segnet-res:promote";

const POLL_MS = 600;

export function start(parts) {
  new PromotePart(parts);
}

class PromotePart {
  constructor({ element, value, onValue, send }) {
    this.element = element;
    this.asker = new Asker({ value, onValue, send: send.ask });
    // Counts comparisons; what belongs to an earlier one is dropped.
    this.run = 0;
    this.#build();
    // What was retrained or frozen since is listed when somebody comes here.
    new IntersectionObserver((entries) => {
      if (entries.at(-1).isIntersecting) this.#list();
    }).observe(element);
    document.addEventListener("sr-candidate", ({ detail }) => this.#candidate(detail.run));
    const job = recall("sessionStorage", JOB_KEY);
    if (job) this.#follow(job, ++this.run, true);
    this.element.dataset.ready = "start";
  }

  #build() {
    this.choice = new CandidateChoice({ onStart: (asked) => this.#start(asked) });
    this.alert = el("div", { class: "sr-alert", role: "alert", hidden: true });
    this.heading = el("h3", { class: "sr-promote-compared", tabindex: "-1" });
    this.bar = new JobBar({ onStop: () => this.#stop() });
    this.notes = el("div", { class: "sr-warnings", role: "status", "aria-label": t("promote.notes") });
    this.note = el("p", { class: "sr-empty" });
    this.scores = el("div", { class: "sr-promote-scores" });
    this.flips = new FlipView({ picture: (stem, onWaiting) => this.#picture(stem, onWaiting) });
    this.form = new PromoteForm({ onPromote: (words) => this.#promote(words) });
    this.title = el("h2", { id: "sr-promote-title", text: t("promote.title") });
    this.element.classList.add("sr-promote");
    this.element.setAttribute("role", "region");
    this.element.setAttribute("aria-labelledby", "sr-promote-title");
    this.element.replaceChildren(
      el("header", {}, this.title, el("p", { class: "sr-note", text: t("promote.intro") })),
      el("div", { class: "sr-promote-grid" }, this.choice.node,
        el("div", { class: "sr-promote-main" }, this.alert, this.heading, this.bar.node, this.notes, this.note,
          this.scores, this.flips.node, this.form.node)));
    this.#clear();
  }

  async #list() {
    try {
      this.choice.show(await this.asker.ask({ action: "choices" }));
      this.element.dataset.choices = "listed";
    } catch (error) {
      this.#fail(error.message);
    }
  }

  // A retraining was looked at, and shall be compared: at once where it is clear on what.
  async #candidate(run) {
    this.element.scrollIntoView({ block: "start" });
    await this.#list();
    this.choice.choose(run);
    if (this.choice.ready) this.#start(this.choice.asked);
    else this.choice.focus();
  }

  async #start(asked) {
    const run = ++this.run;
    remember("sessionStorage", JOB_KEY, "");
    this.#clear();
    this.choice.busy = true;
    this.bar.show({ status: "running", done: 0, total: 0, rate: null, eta: null, ahead: 0, message: "" });
    try {
      const reply = await this.asker.ask({ action: "start", ...asked });
      if (run !== this.run) return;
      remember("sessionStorage", JOB_KEY, reply.job);
      this.#show(reply);
      await this.#follow(reply.job, run);
    } catch (error) {
      if (run === this.run) this.#ended(`failed-${run}`, error.message);
    }
  }

  // Ask again and again how far the job is, until it has come to its end.
  async #follow(job, run, again = false) {
    this.choice.busy = true;
    try {
      for (;;) {
        const reply = await this.asker.ask({ action: "watch", job });
        if (run !== this.run) return;
        this.#show(reply);
        if (hasEnded(reply.state)) return this.#result(reply);
        await new Promise((done) => setTimeout(done, POLL_MS));
        if (run !== this.run) return;
      }
    } catch (error) {
      if (run !== this.run) return;
      // Only a server that answers knows that the job is gone; one that sleeps may come back.
      if (error.reply) remember("sessionStorage", JOB_KEY, "");
      if (again && error.reply) this.#clear();
      this.#ended(`failed-${run}`, again && error.reply ? null : error.message);
    }
  }

  async #stop() {
    try {
      await this.asker.ask({ action: "stop", job: this.job });
    } catch (error) {
      this.#fail(error.message);
    }
  }

  #show(reply) {
    this.job = reply.job;
    const { title, parent, golden } = reply;
    this.heading.textContent = parent ? t("promote.compared", { title, parent, golden })
      : t("promote.alone", { title, golden });
    this.bar.show(reply.state);
    const text = JSON.stringify(reply.notes);
    if (text === this.told) return;
    this.told = text;
    this.notes.replaceChildren(...reply.notes.map((note) => el("p", { text: note })));
  }

  #result(reply) {
    const { comparison, finished, title, state } = reply;
    this.scores.replaceChildren(...(comparison ? scoreView(comparison, reply.files) : []));
    this.flips.show(comparison, reply);
    this.note.textContent = finished && !comparison ? t("promote.nothing", { title })
      : state.status === "stopped" ? t("promote.stoppedNote") : "";
    this.form.show(finished ? reply : null);
    this.#ended(`${state.status}-${reply.job}`, state.error);
  }

  async #picture(stem, onWaiting) {
    return this.asker.ask({ action: "picture", job: this.job, stem }, onWaiting);
  }

  async #promote(words) {
    const { promoted, before } = await this.asker.ask({ action: "promote", job: this.job, ...words });
    // The same comparison cannot promote again.
    remember("sessionStorage", JOB_KEY, "");
    document.dispatchEvent(new CustomEvent("segnet-res:refresh", { detail: { choose: promoted } }));
    this.#list();
    return { promoted, before };
  }

  #clear() {
    this.job = this.told = null;
    this.#fail(null);
    this.bar.hide();
    this.heading.textContent = "";
    this.note.textContent = "";
    this.notes.replaceChildren();
    this.scores.replaceChildren();
    this.flips.show(null, null);
    this.form.show(null);
  }

  #ended(token, sentence) {
    this.choice.busy = false;
    if (sentence) {
      this.#fail(sentence);
      if (!this.job) this.bar.hide();
    }
    this.element.dataset.ready = token;
  }

  #fail(sentence) {
    this.alert.textContent = sentence ?? "";
    this.alert.hidden = !sentence;
  }
}
