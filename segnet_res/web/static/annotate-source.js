// Left column of the Annotate tab: where pictures come from, and in which order.

import { el, recall, remember } from "./dom.js";
import { hasEnded, JobBar } from "./jobs.js";
import { DropBox } from "./sources.js";
import { t } from "./texts.js";

const POLL_MS = 800;
const JOB_KEY = "segnet-res:annotate-queue";

export class PictureSource {
  // ask(fields) asks the server; onFiles(files); dataset(): the one that is chosen;
  // onPlace(value or ""): pictures of the server are wanted; onRanked(reply): an order of them;
  // onError(sentence or null)
  constructor({ ask, dataset, onFiles, onPlace, onRanked, onError }) {
    Object.assign(this, { ask, dataset, onPlace, onRanked, onError });
    this.model = null;
    // Counts rankings; what belongs to an earlier one is dropped.
    this.run = 0;
    this.box = new DropBox({
      id: "sr-annotate-files", title: t("annotate.upload"), hint: t("annotate.uploadHint"),
      iconName: "upload", multiple: true, onFiles, onClear: () => {}, onError,
    });
    this.place = el("select", { id: "sr-annotate-place", onchange: () => this.#chosen() });
    this.rankButton = el("button", {
      type: "button", class: "sr-tool", text: t("annotate.rank"), title: t("annotate.rankHelp"),
      onclick: () => this.#rank(),
    });
    this.note = el("p", { class: "sr-note", role: "status", hidden: true });
    this.bar = new JobBar({ onStop: () => this.#stop() });
    this.node = el("section", { class: "sr-annotate-source" }, this.box.node,
      el("div", { class: "sr-field" },
        el("label", { for: "sr-annotate-place", text: t("annotate.place") }), this.place),
      this.rankButton, this.bar.node, this.note);
    this.list({ datasets: [], folders: [] });
  }

  // Which datasets and folders there are. Values are "dataset:NAME" and "folder:NAME".
  list({ datasets, folders }) {
    const chosen = this.place.value;
    const names = new Set(datasets.map(({ name }) => name));
    const option = (kind, name) => el("option", {
      value: `${kind}:${name}`, text: name === "." ? t("annotate.placeRoot") : name,
    });
    const group = (text, options) => (options.length ? [el("optgroup", { label: text }, ...options)] : []);
    // What lies within a dataset is no folder of its own to anybody.
    const within = (name) => [...names].some((dataset) => name === dataset
      || (dataset === "." ? /^(images|masks|splits|history)(\/|$)/.test(name)
        : name.startsWith(`${dataset}/`)));
    this.place.replaceChildren(el("option", { value: "", text: t("annotate.placeNone") }),
      ...group(t("annotate.placeDatasets"), [...names].map((name) => option("dataset", name))),
      ...group(t("annotate.placeFolders"),
        folders.filter((name) => !within(name)).map((name) => option("folder", name))));
    this.#set(chosen);
    this.#update();
  }

  // Show a place as chosen; whoever calls lists its pictures. A ranking of another one is of no use.
  set(value) {
    if (this.value && value !== this.value) {
      this.run++;
      this.bar.hide();
      remember("sessionStorage", JOB_KEY, "");
    }
    this.#set(value);
    this.#update();
  }

  get value() {
    return this.place.value;
  }

  setModel(name) {
    this.model = name;
    this.#update();
  }

  // A ranking that was under way when the page was left.
  resume() {
    const kept = JSON.parse(recall("sessionStorage", JOB_KEY) || "null");
    if (!kept || kept.place !== this.value) return;
    this.#follow(kept.job, ++this.run, true);
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  // The folder that a place stands for.
  static folderOf(value) {
    const cut = value.indexOf(":");
    const [kind, name] = [value.slice(0, cut), value.slice(cut + 1)];
    if (kind !== "dataset") return name;
    return name === "." ? "images" : `${name}/images`;
  }

  #set(value) {
    const there = [...this.place.querySelectorAll("option")].some((option) => option.value === value);
    this.place.value = there ? value : "";
  }

  #chosen() {
    this.run++;
    remember("sessionStorage", JOB_KEY, "");
    this.bar.hide();
    this.say("");
    this.#update();
    this.onPlace(this.value);
  }

  async #rank() {
    const run = ++this.run;
    this.onError(null);
    this.rankButton.disabled = true;
    try {
      const place = this.value;
      const reply = await this.ask({
        action: "rank", folder: PictureSource.folderOf(place), model: this.model,
        dataset: this.dataset(),
      });
      if (run !== this.run) return;
      remember("sessionStorage", JOB_KEY, JSON.stringify({ place, job: reply.job }));
      this.bar.show(reply.state);
      await this.#follow(reply.job, run, false);
    } catch (error) {
      if (run === this.run) this.#failed(error.message);
    }
  }

  // Ask again and again how far the ranking is; what is ranked so far is shown at its end.
  async #follow(job, run, again) {
    this.job = job;
    try {
      for (;;) {
        const reply = await this.ask({ action: "watch", job });
        if (run !== this.run) return;
        this.bar.show(reply.state);
        if (hasEnded(reply.state)) return this.#ended(reply);
        await new Promise((done) => setTimeout(done, POLL_MS));
        if (run !== this.run) return;
      }
    } catch (error) {
      // A job of an earlier visit that is gone is no news.
      if (run === this.run && again) this.bar.hide();
      else if (run === this.run) this.#failed(error.message);
    }
    this.#update();
  }

  #ended(reply) {
    this.#update();
    if (reply.state.error) this.onError(reply.state.error);
    if (!reply.ranked.length) return;
    const left = reply.skipped.length;
    this.say([t("annotate.ranked", { model: reply.model }),
      left === 1 ? t("annotate.rankedLeftOne") : left ? t("annotate.rankedLeft", { count: left }) : "",
    ].join(" ").trim());
    this.onRanked(reply);
  }

  async #stop() {
    try {
      await this.ask({ action: "stop", job: this.job });
    } catch (error) {
      this.onError(error.message);
    }
  }

  #failed(sentence) {
    remember("sessionStorage", JOB_KEY, "");
    this.bar.hide();
    this.#update();
    this.onError(sentence);
  }

  #update() {
    this.rankButton.disabled = !this.value || !this.model;
    this.rankButton.hidden = !this.value;
  }
}
