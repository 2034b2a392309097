// Golden sets that a retraining must not see, and a split frozen as a new one.

import { el } from "./dom.js";
import { field } from "./evaluate-set.js";
import { JobBar, hasEnded } from "./jobs.js";
import { t } from "./texts.js";
import { checkBox, fill } from "./train-fields.js";

const POLL_MS = 500;

export class GoldenChoice {
  // ask(fields) asks the server; onMade() is called when there is a new golden set.
  constructor({ ask, onMade }) {
    this.ask = ask;
    this.onMade = onMade;
    this.boxes = new Map();
    this.datasets = [];
    this.list = el("ul", { class: "sr-train-checks" });
    this.none = el("p", { class: "sr-note", text: t("train.noGolden") });
    this.dataset = el("select", { id: "sr-freeze-dataset", onchange: () => this.#otherDataset() });
    this.split = el("select", { id: "sr-freeze-split" });
    this.button = el("button", {
      type: "button", class: "sr-tool", text: t("train.freezeButton"), onclick: () => this.#freeze(),
    });
    this.bar = new JobBar({ onStop: () => {} });
    // Freezing is short, and nothing is there before its end: it goes on.
    this.bar.stop.remove();
    this.said = el("p", { class: "sr-note", role: "status" });
    this.wrong = el("p", { class: "sr-train-wrong", role: "alert" });
    this.freeze = el("details", { class: "sr-freeze" },
      el("summary", { text: t("train.freeze") }),
      el("p", { class: "sr-note", text: t("train.freezeNote") }),
      el("div", { class: "sr-train-fields" }, field(t("train.freezeDataset"), this.dataset),
        field(t("train.freezeSplit"), this.split), this.button),
      this.bar.node, this.said, this.wrong);
    this.node = el("div", { class: "sr-train-goldens" }, el("p", { class: "sr-note", text: t("train.goldenNote") }), this.list,
      this.none, this.freeze);
  }

  get chosen() {
    return [...this.boxes].filter(([, box]) => box.checked && !box.disabled).map(([name]) => name);
  }

  // What there is, as the server tells it.
  show({ goldens, datasets }) {
    this.none.hidden = goldens.length > 0;
    // All of them, unless somebody says otherwise: what was seen once can never be measured on again.
    const left = new Set([...this.boxes].filter(([, box]) => !box.checked).map(([name]) => name));
    this.boxes.clear();
    this.list.replaceChildren(...goldens.map((golden, i) => {
      const { name, error, dataset, split, pictures } = golden;
      const key = pictures === 1 ? "train.goldenCountOne" : "train.goldenCount";
      const note = error ?? t(key, { dataset, split, count: pictures });
      const { box, node } = checkBox(`sr-golden-${i}`, name, note, !error && !left.has(name), () => {});
      box.disabled = Boolean(error);
      node.classList.toggle("sr-train-wrong", Boolean(error));
      this.boxes.set(name, box);
      return el("li", {}, node);
    }));
    this.datasets = datasets.filter(({ splits }) => splits.val || splits.test);
    fill(this.dataset, this.datasets.map(({ name }) => [name, name]));
    this.button.disabled = this.dataset.disabled = this.split.disabled = !this.datasets.length;
    if (!this.datasets.length) this.said.textContent = t("train.freezeNothing");
    this.#listSplits();
  }

  #otherDataset() {
    // The split of another dataset was no choice for this one.
    this.split.replaceChildren();
    this.#listSplits();
  }

  #listSplits() {
    const splits = this.datasets.find(({ name }) => name === this.dataset.value)?.splits ?? {};
    // Validation chooses the best epoch: what is left for the end is the better measure.
    const names = ["test", "val"].filter((name) => splits[name]);
    fill(this.split, names.map((name) => [name,
      t(splits[name] === 1 ? "train.freezeSplitOne" : "train.freezeSplitCount", { name, count: splits[name] })]));
  }

  async #freeze() {
    this.button.disabled = true;
    this.said.textContent = this.wrong.textContent = "";
    try {
      let reply = await this.ask({ action: "freeze", dataset: this.dataset.value, split: this.split.value });
      while (!hasEnded(reply.state)) {
        this.bar.show(reply.state);
        await new Promise((done) => setTimeout(done, POLL_MS));
        reply = await this.ask({ action: "freezing", job: reply.job });
      }
      if (reply.state.error) throw new Error(reply.state.error);
      const key = reply.rare.length ? "train.frozenRare" : "train.frozen";
      this.said.textContent = t(key, { name: reply.made, classes: reply.rare.join(", ") });
      this.onMade();
    } catch (error) {
      this.wrong.textContent = error.message;
    }
    this.bar.hide();
    this.button.disabled = false;
  }
}
