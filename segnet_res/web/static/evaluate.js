// The Evaluate tab: a checkpoint measured on a set. Puts the columns together and follows the job.

import { Asker } from "./asking.js";
import { BatchJudge } from "./batch-judge.js";
import { el, recall, remember, score } from "./dom.js";
import { SetChoice } from "./evaluate-set.js";
import { PictureTable } from "./evaluate-table.js";
import { Totals } from "./evaluate-totals.js";
import { JobBar, hasEnded } from "./jobs.js";
import { t } from "./texts.js";

// By this a page finds its job again after a reload.
const JOB_KEY = "segnet-res:evaluate";

const POLL_MS = 600;
const MAX_BYTES = 512 * 2 ** 20;

export function start(parts) {
  new EvaluateTab(parts);
}

class EvaluateTab {
  constructor({ element, value, onValue, send, upload }) {
    this.element = element;
    this.upload = upload;
    this.asker = new Asker({ value, onValue, send: send.ask });
    this.model = window.segnetResModel?.name ?? null;
    // Counts jobs; what belongs to an earlier one is dropped.
    this.run = 0;
    this.busy = false;
    this.#build();
    document.addEventListener("segnet-res:model", ({ detail }) => {
      this.model = detail.name;
      this.#update();
    });
    // Datasets that were added since are listed when the tab is looked at.
    new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.#list();
    }).observe(element);
    const job = recall("sessionStorage", JOB_KEY);
    if (job) this.#follow(job, ++this.run, true);
    this.#ready("start");
  }

  #build() {
    this.choice = new SetChoice({
      ask: (fields) => this.asker.ask(fields),
      onChange: () => this.#update(),
      onError: (sentence) => this.#fail(sentence),
    });
    this.button = el("button", {
      type: "button", class: "sr-primary", text: t("evaluate.start"),
      "aria-describedby": "sr-evaluate-why", onclick: () => this.#start(),
    });
    this.why = el("p", { class: "sr-note", id: "sr-evaluate-why" });
    // The same limits as in Inspect and Batch say what else is defective.
    this.judge = new BatchJudge({ onChange: () => {} });
    this.alert = el("div", { class: "sr-alert", role: "alert", hidden: true });
    this.bar = new JobBar({ onStop: () => this.#stop() });
    this.title = el("h2", { class: "sr-evaluated" });
    this.idle = el("p", { class: "sr-empty sr-evaluate-idle", text: t("evaluate.idle") });
    this.table = new PictureTable({ onOpen: (rows, index) => this.#open(rows, index) });
    this.totals = new Totals({ onDecision: (decision) => this.table.setDecision(decision) });
    this.element.classList.add("sr-evaluate");
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", t("evaluate.tab"));
    this.element.replaceChildren(
      el("aside", { class: "sr-left" }, this.choice.node, this.judge.node,
        el("div", { class: "sr-evaluate-start" }, this.button, this.why)),
      el("div", { class: "sr-centre" }, this.alert, this.title, this.bar.node, this.idle,
        this.table.node),
      el("aside", { class: "sr-right", "aria-label": t("evaluate.totals") }, this.totals.node),
    );
    this.#update();
  }

  async #list() {
    try {
      this.choice.list(await this.asker.ask({ action: "sets" }));
      this.element.dataset.sets = "listed";
    } catch (error) {
      this.#fail(error.message);
    }
  }

  async #start() {
    const run = ++this.run;
    this.#fail(null);
    this.#setBusy(true);
    try {
      const set = await this.choice.describe((file) => this.#uploaded(file), (done, total) => {
        if (run === this.run) this.bar.show({ status: "uploading", done, total, message: "" });
        return run === this.run;
      });
      if (run !== this.run) return;
      const reply = await this.asker.ask({
        action: "start", model: this.model, set, parts: this.choice.partsMode, judge: this.judge.now,
      });
      if (run !== this.run) {
        // Stopped before the server had answered: nobody else knows of the job.
        this.asker.ask({ action: "stop", job: reply.job }).catch(() => {});
        return;
      }
      // What was found before stays until there is something new: the server may have refused.
      this.#reset();
      remember("sessionStorage", JOB_KEY, reply.job);
      this.#show(reply);
      await this.#follow(reply.job, run);
    } catch (error) {
      if (run === this.run) this.#failed(error.message);
    }
  }

  async #uploaded(file) {
    if (file.size > MAX_BYTES) {
      const size = Math.round(file.size / 2 ** 20);
      throw new Error(t("evaluate.tooLarge", { name: file.name, size }));
    }
    try {
      return await this.upload(file);
    } catch (error) {
      const reason = error?.message ?? error;
      throw new Error(t("evaluate.uploadFailed", { name: file.name, reason }));
    }
  }

  // Ask again and again how far the job is, until it has ended and every row is here.
  async #follow(job, run, again = false) {
    this.#setBusy(true);
    try {
      for (;;) {
        const reply = await this.asker.ask({ action: "watch", job, since: this.table.rows.length });
        if (run !== this.run) return;
        this.#show(reply);
        const complete = this.table.rows.length >= reply.total_rows;
        if (hasEnded(reply.state) && complete) return this.#ended(reply);
        if (complete) await new Promise((done) => setTimeout(done, POLL_MS));
        if (run !== this.run) return;
      }
    } catch (error) {
      if (run !== this.run) return;
      // Only a server that answers knows that the job is gone; one that sleeps may come back.
      if (error.reply) remember("sessionStorage", JOB_KEY, "");
      // A job of an earlier visit that is gone is no news.
      if (again && error.reply && !this.table.rows.length) {
        this.#reset();
        this.#setBusy(false);
      } else this.#failed(error.message);
    }
  }

  async #stop() {
    const job = recall("sessionStorage", JOB_KEY);
    if (this.bar.node.dataset.status === "uploading" || !job) {
      // There is no job yet: what is under way is the browser's own work.
      this.run++;
      this.#setBusy(false);
      this.#showLast();
      return;
    }
    try {
      await this.asker.ask({ action: "stop", job, since: this.table.rows.length });
    } catch (error) {
      this.#fail(error.message);
    }
  }

  #show(reply) {
    this.job = reply;
    this.idle.hidden = true;
    this.title.textContent = t("evaluate.evaluated", { model: reply.model, set: reply.set });
    if (reply.classes.length) this.table.setClasses(reply.classes, reply.background);
    // An answer that comes twice must not double its rows.
    if (reply.since === this.table.rows.length) this.table.add(reply.rows);
    this.bar.show(reply.state);
    if (!hasEnded(reply.state)) {
      this.totals.wait(reply.miou === null ? "" : t("evaluate.soFar", { miou: score(reply.miou) }));
    }
  }

  #ended(reply) {
    this.#setBusy(false);
    if (reply.state.error) this.#fail(reply.state.error);
    if (reply.totals) this.totals.show(reply, this.table.rows);
    else this.totals.clear();
    this.#ready(`${reply.state.status}-${reply.job}`);
  }

  #open(rows, index) {
    document.dispatchEvent(new CustomEvent("segnet-res:open", {
      detail: {
        pictures: rows.map(({ source, reference }) => ({ source, reference })),
        index,
        mode: "Errors",
        model: this.job.model,
      },
    }));
  }

  #reset() {
    remember("sessionStorage", JOB_KEY, "");
    this.#fail(null);
    this.bar.hide();
    this.table.clear();
    this.totals.clear();
    this.title.textContent = "";
    this.idle.hidden = false;
    this.job = null;
  }

  // The bar of what has ended; of a job that nobody hears of any more it would only mislead.
  #showLast() {
    if (this.job && hasEnded(this.job.state)) this.bar.show(this.job.state);
    else this.bar.hide();
  }

  #failed(sentence) {
    this.#setBusy(false);
    this.#showLast();
    this.#fail(sentence);
    this.#ready(`failed-${this.run}`);
  }

  #fail(sentence) {
    this.alert.textContent = sentence ?? "";
    this.alert.hidden = !sentence;
  }

  #setBusy(busy) {
    this.busy = busy;
    this.choice.disabled = busy;
    this.#update();
  }

  #update() {
    this.button.disabled = this.busy || !this.model || !this.choice.ready;
    this.why.textContent = this.busy ? "" : this.model ? this.choice.missing : t("evaluate.noModel");
  }

  #ready(token) {
    this.element.dataset.ready = token;
  }
}
