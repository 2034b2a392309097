// The form of a new retraining.

import { el } from "./dom.js";
import { field } from "./evaluate-set.js";
import { numberInput, numberOf } from "./numbers.js";
import { t } from "./texts.js";
import { ClassTable } from "./train-classes.js";
import { checkBox, fill, freeName, section } from "./train-fields.js";
import { GoldenChoice } from "./train-goldens.js";

const ADVANCED = ["new_share", "epochs", "steps", "batch", "crop", "lr", "seed"];

export class TrainForm {
  // ask(fields) asks the server; onStart(name, form) wants it started, and resolves when it was;
  // onRefresh() wants to hear again what there is.
  constructor({ ask, onStart, onRefresh }) {
    this.ask = ask;
    this.found = { parents: [], datasets: [], goldens: [] };
    this.taken = [];
    this.bases = new Map();
    this.named = false; // whether somebody has written a name
    this.parentChosen = false; // whether somebody has chosen the checkpoint
    this.basesFor = null; // parent and dataset for which old pictures were proposed
    this.asked = 0;
    this.busy = false;
    this.goldens = new GoldenChoice({ ask, onMade: onRefresh });
    this.classes = new ClassTable({ onChange: () => this.#askClasses() });
    this.#build(onStart);
  }

  // What can be chosen; the server's answer to "choices".
  show(found) {
    this.found = found;
    const parents = found.parents.map(({ name, serving }) =>
      [name, serving ? t("train.serves", { name }) : name]);
    const serves = found.parents.find(({ serving }) => serving)?.name;
    fill(this.parent, parents, serves ?? window.segnetResModel?.name);
    // Another one may have been promoted: what it has learnt is gone on from, unless somebody chose.
    if (serves && !this.parentChosen) this.parent.value = serves;
    this.parentNote.textContent = found.doubt ?? (parents.length ? "" : t("train.noParent"));
    const datasets = found.datasets.filter(({ splits }) => splits.train);
    fill(this.dataset, datasets.map(({ name, splits }) => [name, t("train.datasetCounts", {
      name, train: splits.train, val: splits.val ?? 0,
    })]));
    this.datasetNote.hidden = datasets.length > 0;
    this.goldens.show(found);
    this.#chosen();
  }

  // Names of the retrainings that are there.
  setTaken(names) {
    this.taken = names;
    this.#proposeName();
  }

  get content() {
    const options = Object.fromEntries(ADVANCED.map((key) => [key, numberOf(this.numbers[key])]));
    const { new_share: share, ...rest } = options;
    return {
      parent: this.parent.value, dataset: this.dataset.value, bases: this.#chosenBases(),
      goldens: this.goldens.chosen, renamed: this.classes.renamed, dropped: this.classes.dropped,
      new_share: share, minutes: numberOf(this.minutes), leave_out: this.leaveOut.checked, options: rest,
    };
  }

  #build(onStart) {
    const changed = () => this.#chosen();
    this.parent = el("select", {
      id: "sr-train-parent", onchange: () => {
        this.parentChosen = true;
        changed();
      },
    });
    this.parentNote = el("p", { class: "sr-note" });
    this.dataset = el("select", { id: "sr-train-dataset", onchange: changed });
    this.datasetNote = el("p", { class: "sr-note", hidden: true, text: t("train.noDatasets") });
    this.name = el("input", {
      type: "text", id: "sr-train-name", maxlength: "60", autocomplete: "off", spellcheck: "false",
      oninput: () => {
        this.named = this.name.value !== "";
      },
    });
    this.baseList = el("ul", { class: "sr-train-checks" });
    this.baseNote = el("p", { class: "sr-note", role: "status" });
    const number = (key, attributes) => numberInput({
      id: `sr-train-${key}`, onNumber: () => this.#update(), ...attributes,
    });
    this.minutes = number("minutes", { placeholder: t("train.minutesHint") });
    this.numbers = Object.fromEntries(ADVANCED.map((key) => [key, number(key)]));
    const leave = checkBox("sr-train-leave-out", t("train.leaveOut"), null, false, () => {});
    this.leaveOut = leave.box;
    this.alert = el("div", { class: "sr-alert", role: "alert", hidden: true });
    this.button = el("button", { type: "submit", class: "sr-primary", "aria-describedby": "sr-train-why" });
    this.why = el("p", { class: "sr-note", id: "sr-train-why" });
    this.node = el("form", {
      class: "sr-train-form", novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        this.#start(onStart);
      },
    },
    el("h2", { class: "sr-run-title", tabindex: "-1", text: t("train.freshTitle") }),
    section(1, "parentTitle", field(t("train.parent"), this.parent), this.parentNote),
    section(2, "newTitle", field(t("train.dataset"), this.dataset), this.datasetNote),
    section(3, "oldTitle", el("p", { class: "sr-note", text: t("train.oldNote") }), this.baseList, this.baseNote),
    section(4, "goldenTitle", this.goldens.node),
    section(5, "classTitle", this.classes.node),
    section(6, "timeTitle", field(t("train.name"), this.name),
      el("p", { class: "sr-note", text: t("train.nameNote") }), field(t("train.minutes"), this.minutes),
      el("p", { class: "sr-note", text: t("train.minutesNote") }),
      el("details", {}, el("summary", { text: t("train.advanced") }),
        el("p", { class: "sr-note", text: t("train.advancedNote") }),
        el("div", { class: "sr-train-fields" },
          ...ADVANCED.map((key) => field(t(`train.${key}`), this.numbers[key]))), leave.node)),
    el("div", { class: "sr-train-start" }, this.alert, this.button, this.why));
    this.#update();
  }

  // Something else was chosen: what follows from it is filled in, and the classes are asked for.
  #chosen() {
    this.#proposeName();
    this.#listBases();
    this.#askClasses();
    this.#update();
  }

  #proposeName() {
    if (this.named || !this.dataset.value) return;
    this.name.value = freeName(this.dataset.value, this.taken);
  }

  #listBases() {
    const { value: dataset } = this.dataset;
    const parent = this.found.parents.find(({ name }) => name === this.parent.value);
    const known = new Set(parent?.learnt_from ?? []);
    // Proposed once for each parent and dataset; whoever unticks one is left alone.
    const key = JSON.stringify([parent?.name, dataset]);
    const propose = key !== this.basesFor;
    this.basesFor = key;
    const before = new Set(this.#chosenBases());
    this.bases.clear();
    const rows = this.found.datasets.filter(({ name, splits, error }) => name !== dataset && splits.train && !error);
    this.baseList.replaceChildren(...rows.map(({ name, title, splits }, i) => {
      const learnt = known.has(title);
      const notes = [t("train.datasetCounts", { name: title, train: splits.train, val: splits.val ?? 0 }),
        ...(learnt ? [t("train.learntFrom")] : [])];
      const checked = propose ? learnt : before.has(name);
      const { box, node } = checkBox(`sr-base-${i}`, name, notes.join("; "), checked, () => {
        this.#tellBases();
        this.#askClasses();
      });
      this.bases.set(name, box);
      return el("li", {}, node);
    }));
    this.#tellBases();
  }

  #tellBases() {
    const none = !this.bases.size ? "noOld" : !this.#chosenBases().length ? "oldNone" : null;
    this.baseNote.textContent = none ? t(`train.${none}`) : "";
  }

  #chosenBases() {
    return [...this.bases].filter(([, box]) => box.checked).map(([name]) => name);
  }

  async #askClasses() {
    const number = ++this.asked;
    if (!this.parent.value || !this.dataset.value) {
      this.classes.clear();
      return this.#update();
    }
    const parent = this.found.parents.find(({ name }) => name === this.parent.value);
    this.classes.forget(parent?.classes.map(({ name }) => name) ?? []);
    this.matching = true;
    this.#update();
    try {
      const { classes } = await this.ask({ action: "classes", form: this.content });
      if (number === this.asked) this.classes.show(classes);
    } catch (error) {
      if (number === this.asked) this.classes.fail(error.message);
    }
    if (number !== this.asked) return;
    this.matching = false;
    this.#update();
  }

  async #start(onStart) {
    if (this.busy || this.button.disabled) return;
    this.busy = true;
    this.fail("");
    this.#update();
    try {
      await onStart(this.name.value.trim(), this.content);
      this.named = false;
    } catch (error) {
      this.fail(error.message);
    }
    this.busy = false;
    this.#update();
  }

  fail(sentence) {
    this.alert.textContent = sentence;
    this.alert.hidden = !sentence;
  }

  #update() {
    const missing = !this.parent.value ? "missingParent" : !this.dataset.value ? "missingDataset"
      : !this.matching && !this.classes.good ? "missingClasses"
      : [this.minutes, ...Object.values(this.numbers)].some((input) => Number.isNaN(numberOf(input)))
      ? "missingNumbers" : null;
    this.why.textContent = missing ? t(`train.${missing}`) : "";
    this.button.textContent = t(this.busy ? "train.starting" : "train.start");
    this.button.disabled = this.busy || this.matching || missing !== null;
    this.node.dataset.ready = this.matching || missing ? "" : "ready";
  }
}
