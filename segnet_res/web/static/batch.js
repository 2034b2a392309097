// The Batch tab: many pictures, one after the other. Puts the columns together and follows the job.

import { Asker } from "./asking.js";
import { BatchActions } from "./batch-actions.js";
import { BatchJudge } from "./batch-judge.js";
import { BatchSource, count } from "./batch-source.js";
import { BatchTable } from "./batch-table.js";
import { el, recall, remember } from "./dom.js";
import { JobBar, hasEnded } from "./jobs.js";
import { t } from "./texts.js";

// By this a page finds its batch again: the same window after a reload, and a new window the next
// morning.
const JOB_KEY = "segnet-res:batch";

const POLL_MS = 600;
const HIDDEN_MS = 3000;

// Whoever has the results open keeps them from being forgotten.
const KEEP_MS = 5 * 60_000;

export function start(parts) {
  new BatchTab(parts);
}

class BatchTab {
  constructor({ element, value, onValue, send, upload }) {
    this.element = element;
    this.upload = upload;
    this.asker = new Asker({ value, onValue, send: send.ask });
    this.model = window.segnetResModel?.name ?? null;
    // Counts batches; what belongs to an earlier one is dropped.
    this.run = 0;
    this.job = null;
    // What was shown before somebody began another one: {job, shown}; and why that was refused.
    this.before = this.refusal = null;
    this.busy = false;
    this.#build();
    document.addEventListener("segnet-res:model", ({ detail }) => {
      this.model = detail.name;
      this.#update();
    });
    // Folders that were added since are listed when the tab is looked at.
    new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.#list();
      this.#wake();
    }).observe(element);
    const own = recall("sessionStorage", JOB_KEY);
    const job = own || recall("localStorage", JOB_KEY);
    // Of a batch that another window has started it is not ours to delete the results.
    this.own = Boolean(own);
    if (job) this.#follow(job, ++this.run, true);
    this.#ready("start");
  }

  #build() {
    this.source = new BatchSource({
      ask: (fields) => this.asker.ask(fields),
      onChange: () => this.#update(),
      onError: (sentence) => this.#fail(sentence),
    });
    this.source.acceptDrops(this.element);
    this.judge = new BatchJudge({ onChange: () => this.#tellJudge() });
    this.overlays = el("input", { type: "checkbox", id: "sr-batch-overlays", checked: true });
    this.button = el("button", {
      type: "button", class: "sr-primary sr-batch-start", text: t("batch.start"),
      onclick: () => this.#start(),
    });
    this.alert = el("div", { class: "sr-alert", role: "alert", hidden: true });
    this.title = el("h2", { class: "sr-batch-title" });
    this.bar = new JobBar({ onStop: () => this.#stop() });
    this.idle = el("p", { class: "sr-empty sr-batch-idle", text: t("batch.idle") });
    this.actions = new BatchActions({
      onRejudge: () => this.#task({ action: "rejudge", judge: this.judge.now }),
      onPack: (contents) => this.#task({
        action: "pack", contents: { ...contents, view: this.table.view },
      }),
      onStop: () => this.#stop(true),
    });
    this.table = new BatchTable({
      onView: () => this.#wake(),
      onOpen: (rows, index) => open(rows, index, this.shownModel),
    });
    this.element.classList.add("sr-batch");
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", t("batch.tab"));
    this.element.replaceChildren(
      el("aside", { class: "sr-left" }, this.source.node, this.judge.node,
        el("label", { class: "sr-check", for: "sr-batch-overlays" }, this.overlays,
          el("span", { text: t("batch.overlays") })),
        this.button),
      el("div", { class: "sr-centre" }, this.alert, this.title, this.bar.node, this.actions.node,
        this.idle, this.table.node),
    );
    this.#update();
  }

  async #list() {
    try {
      this.source.list((await this.asker.ask({ action: "folders" })).folders);
      this.element.dataset.folders = "listed";
    } catch (error) {
      this.#fail(error.message);
    }
  }

  async #start() {
    const run = ++this.run;
    this.#setAside();
    this.#setBusy(true);
    try {
      const source = await this.source.describe((file) => this.upload(file),
        (done, total) => this.#uploading(run, done, total), () => run === this.run);
      if (run !== this.run) return;
      const reply = await this.asker.ask({
        action: "run", model: this.model, source, judge: this.judge.now,
        overlays: this.overlays.checked,
      });
      // Stopped before the server had answered: nobody else knows of the batch.
      if (run !== this.run) return this.#drop(reply.job);
      // The pictures of the one before are not shown any more, and take room.
      if (this.before && this.own) this.#drop(this.before.job);
      this.#reset();
      remember("sessionStorage", JOB_KEY, reply.job);
      remember("localStorage", JOB_KEY, reply.job);
      this.own = true;
      await this.#follow(reply.job, run);
    } catch (error) {
      if (run === this.run) this.#goBack(error.message);
    }
  }

  // What is shown goes out of sight, because it would be read as that of the new pictures. The
  // batch itself stays until the server has taken the new one.
  #setAside() {
    this.before = this.job && { job: this.job, shown: !this.table.node.hidden };
    this.job = this.refusal = null;
    this.#fail(null);
    this.#clear();
    this.table.node.hidden = true;
  }

  // The new batch was stopped before there was a job, or refused: the one before is shown again.
  #goBack(sentence = null) {
    const run = ++this.run;
    const { before } = this;
    if (!before) this.#reset();
    this.before = null;
    this.refusal = sentence;
    this.bar.hide();
    this.#fail(sentence);
    this.#setBusy(false);
    this.#ready(`back-${run}`);
    if (!before) return;
    this.idle.hidden = before.shown;
    this.table.node.hidden = !before.shown;
    this.#follow(before.job, run);
  }

  // Free the disk of a batch that nobody looks at any more.
  #drop(job) {
    this.asker.ask({ action: "forget", job }).catch(() => {});
  }

  #uploading(run, done, total) {
    if (run === this.run) this.bar.show({ status: "uploading", done, total, message: "" });
  }

  // Ask again and again how far the batch is; more seldom when nothing is going on.
  async #follow(job, run, again = false) {
    this.job = job;
    this.#setBusy(true);
    try {
      while (run === this.run) {
        this.awake = false;
        const { view } = this.table;
        const reply = await this.asker.ask({ action: "watch", job, view });
        if (run !== this.run) return;
        // Where other rows are wanted by now, these would stand under the wrong heads.
        if (view === this.table.view) this.#show(reply);
        await this.#pause(this.#period(reply));
      }
    } catch (error) {
      if (run !== this.run) return;
      if (error.reply) return this.#gone(error.message, again);
      // The server cannot be reached; a reload finds the batch again when it is back.
      this.#fail(error.message);
      this.#setBusy(false);
    }
  }

  #gone(sentence, again) {
    const shown = !this.table.node.hidden;
    this.#forget();
    // A batch of an earlier visit that is gone is no news.
    if (again && !shown) this.#reset();
    else this.#fail(this.refusal ?? sentence);
    this.#setBusy(false);
    this.#ready(`gone-${this.run}`);
  }

  #period({ state, task }) {
    const working = !hasEnded(state) || (task && !hasEnded(task));
    if (!working) return KEEP_MS;
    return document.hidden || !this.element.offsetParent ? HIDDEN_MS : POLL_MS;
  }

  // Wait for so long, or until somebody wants other rows.
  #pause(milliseconds) {
    if (this.awake) return Promise.resolve();
    return new Promise((done) => {
      this.wakeUp = done;
      setTimeout(done, milliseconds);
    });
  }

  #wake() {
    this.awake = true;
    this.wakeUp?.();
  }

  #show(reply) {
    const { state, classes } = reply;
    const ended = hasEnded(state);
    this.idle.hidden = true;
    this.title.textContent = count("batch.title", reply.total, reply);
    this.bar.show(state);
    this.used = reply.judged;
    this.shownModel = reply.model;
    this.actions.show(reply, this.table.filtered);
    this.#tellJudge();
    if (classes.length) this.table.show(reply);
    if (state.error) this.#fail(this.refusal ?? state.error);
    if (this.busy === ended) this.#setBusy(!ended);
    const rows = `${reply.matching}/${reply.counts.all}/${reply.offset}`;
    const task = reply.task ? `${reply.task.token} ${reply.task.status}` : "none";
    this.#ready([state.status, rows, JSON.stringify(this.table.view), task].join(" "));
  }

  // Limits that have changed since the pictures were judged can be applied to them.
  #tellJudge() {
    this.actions?.offerRejudge(Boolean(this.used) && !this.busy && !this.judge.same(this.used));
  }

  async #task(fields) {
    this.refusal = null;
    this.#fail(null);
    try {
      const { task } = await this.asker.ask({ ...fields, job: this.job });
      this.actions.expect(task);
      this.#wake();
    } catch (error) {
      this.#fail(error.message);
    }
  }

  async #stop(task = false) {
    if (!this.job) {
      // There is no job yet: what is under way is the browser's own work.
      this.#goBack();
      return;
    }
    try {
      await this.asker.ask({ action: "stop", job: this.job, task });
      this.#wake();
    } catch (error) {
      this.#fail(error.message);
    }
  }

  #reset() {
    this.#forget();
    this.#fail(null);
    this.#clear();
    this.table.clear();
    this.actions.hide();
  }

  #clear() {
    this.actions.node.hidden = true;
    this.bar.hide();
    this.title.textContent = "";
    this.idle.hidden = false;
  }

  #forget() {
    this.job = this.used = this.before = null;
    remember("sessionStorage", JOB_KEY, "");
    remember("localStorage", JOB_KEY, "");
  }

  #fail(sentence) {
    // The same words again would be read aloud again.
    if (this.alert.textContent === (sentence ?? "")) return;
    this.alert.textContent = sentence ?? "";
    this.alert.hidden = !sentence;
  }

  #setBusy(busy) {
    this.busy = busy;
    this.source.disabled = busy;
    this.overlays.disabled = busy;
    this.#update();
    this.#tellJudge();
  }

  #update() {
    this.button.disabled = this.busy || !this.model || !this.source.ready;
    this.button.title = this.model ? "" : t("batch.noModel");
  }

  #ready(token) {
    this.element.dataset.ready = token;
  }
}

// Inspect shows the pictures of the page; those without a result have nothing to show. With another
// checkpoint it would show something else than the table says.
function open(rows, index, model) {
  const shown = rows.filter(({ state }) => state !== "failed");
  document.dispatchEvent(new CustomEvent("segnet-res:open", {
    detail: {
      pictures: shown.map(({ source }) => ({ source, reference: null })),
      index: shown.indexOf(rows[index]),
      mode: "Overlay",
      model,
    },
  }));
}
