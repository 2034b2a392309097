// Which dataset a mask is meant for: one that is there, or a new one; and more classes for it.

import { el, recall, remember } from "./dom.js";
import { t } from "./texts.js";

const CHOICE_KEY = "segnet-res:annotate-dataset";
const NEW = " new";

export class DatasetChoice {
  // ask(fields) asks the server; model(): the checkpoint; classes(): names of the classes now;
  // onChoose(name): another dataset; onAdd(name): a class is to be added; onMade(): list them anew
  constructor({ ask, model, classes, onChoose, onAdd, onMade, onError }) {
    Object.assign(this, { ask, model, classes, onChoose, onAdd, onMade, onError });
    this.name = recall("localStorage", CHOICE_KEY) ?? "";
    this.datasets = [];
    // field: the choice; form: what a new one needs; more: what belongs below the classes
    this.#build();
  }

  list(datasets) {
    this.datasets = datasets;
    const known = datasets.some(({ name, error }) => name === this.name && !error);
    if (!known) this.name = "";
    this.select.replaceChildren(el("option", { value: "", text: t("annotate.datasetNone") }),
      ...datasets.map(({ name, error }) => el("option", {
        value: name, disabled: Boolean(error),
        text: error ? t("annotate.datasetBroken", { name, error }) : name,
      })), el("option", { value: NEW, text: t("annotate.datasetNew") }));
    this.select.value = this.name;
    this.#update();
  }

  choose(name) {
    if (!this.datasets.some((dataset) => dataset.name === name && !dataset.error)) return;
    this.name = name;
    this.select.value = name;
    remember("localStorage", CHOICE_KEY, name);
    this.form.hidden = true;
    this.#update();
  }

  // The classes that the open mask has and the dataset lacks.
  tellNew(names) {
    this.joins.textContent = names.length ? t("annotate.joins", { names: names.join(", ") }) : "";
    this.joins.hidden = !names.length;
  }

  #build() {
    this.select = el("select", { id: "sr-annotate-dataset", onchange: () => this.#chosen() },
      el("option", { value: "", text: t("annotate.datasetNone") }));
    this.folder = el("input", {
      id: "sr-annotate-new-name", type: "text", maxlength: "64", autocomplete: "off", spellcheck: "false",
    });
    this.names = el("textarea", { id: "sr-annotate-new-classes", rows: "5", spellcheck: "false" });
    this.form = el("form", { class: "sr-annotate-form", hidden: true, onsubmit: (event) => {
      event.preventDefault();
      this.#make();
    } },
    field(t("annotate.newName"), this.folder), field(t("annotate.newClasses"), this.names),
    el("div", { class: "sr-annotate-row" },
      el("button", { type: "submit", class: "sr-tool", text: t("annotate.make") }),
      el("button", {
        type: "button", class: "sr-tool", text: t("annotate.cancel"), onclick: () => this.#cancel(),
      })));
    this.joins = el("p", { class: "sr-note", hidden: true });
    this.said = el("p", { class: "sr-note", role: "status", hidden: true });
    this.className = el("input", {
      id: "sr-annotate-class", type: "text", maxlength: "100", autocomplete: "off",
      "aria-label": t("annotate.addClassName"), placeholder: t("annotate.addClassName"),
    });
    this.addForm = el("form", { class: "sr-annotate-row", onsubmit: (event) => {
      event.preventDefault();
      const name = this.className.value.trim();
      if (name) this.onAdd(name);
    } }, this.className, el("button", { type: "submit", class: "sr-tool", text: t("annotate.add") }));
    const details = el("details", { class: "sr-annotate-more" },
      el("summary", { text: t("annotate.addClass") }), this.addForm);
    this.field = field(t("annotate.dataset"), this.select);
    this.more = el("div", { class: "sr-annotate-dataset" }, details, this.joins, this.said);
  }

  // A class was added.
  added(name) {
    this.className.value = "";
    this.say(t("annotate.added", { name }));
  }

  say(text) {
    this.said.textContent = text;
    this.said.hidden = !text;
  }

  #chosen() {
    this.say("");
    if (this.select.value !== NEW) {
      this.name = this.select.value;
      remember("localStorage", CHOICE_KEY, this.name);
      this.form.hidden = true;
      this.#update();
      return this.onChoose(this.name);
    }
    this.names.value = this.classes().join("\n");
    this.form.hidden = false;
    this.folder.focus();
  }

  async #make() {
    this.onError(null);
    const names = this.names.value.split("\n").map((name) => name.trim()).filter(Boolean);
    try {
      const { made } = await this.ask({
        action: "new_dataset", name: this.folder.value, names, model: this.model(),
      });
      await this.onMade();
      this.choose(made);
      this.folder.value = "";
      this.say(t("annotate.made", { name: made }));
      this.onChoose(made);
    } catch (error) {
      this.onError(error.message);
    }
  }

  #cancel() {
    this.form.hidden = true;
    this.select.value = this.name;
    this.select.focus();
  }

  #update() {
    this.tellNew([]);
  }
}

export function field(text, node) {
  return el("div", { class: "sr-field" }, el("label", { for: node.id, text }), node);
}
