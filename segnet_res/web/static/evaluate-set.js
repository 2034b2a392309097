// Left column of the Evaluate tab: the set to measure on, and how its parts are known.

import { el, recall, remember } from "./dom.js";
import { DropBox } from "./sources.js";
import { t } from "./texts.js";

const KINDS = ["dataset", "pairs", "samples"];
const PARTS = ["auto", "picture", "prefix", "folder"];
const CHOICE_KEY = "segnet-res:evaluate-set";

export class SetChoice {
  // ask(fields) asks the server; onChange() is called when something else is chosen.
  constructor({ ask, onChange, onError }) {
    this.ask = ask;
    this.onChange = onChange;
    this.onError = onError;
    this.datasets = {};
    this.files = { pictures: [], masks: [] };
    this.matched = null; // {pairs: [[i, j]], problems: [[name, sentence]]}
    this.matching = 0;
    this.node = this.#build();
    this.#restore();
  }

  // What can be chosen: the server's answer to "sets".
  list({ allowed, datasets }) {
    this.datasets = datasets;
    const names = Object.keys(datasets);
    fill(this.dataset, names.map((name) => [name, name]), this.wanted?.dataset);
    this.dataset.disabled = names.length === 0;
    this.datasetNote.hidden = names.length > 0;
    this.datasetNote.textContent = t(allowed ? "evaluate.noDatasets" : "evaluate.noFolder");
    this.#listSplits();
    // Without a dataset the samples are what can be tried at once.
    if (!names.length && !this.chosen && this.kind === "dataset") this.#choose("samples");
    this.onChange();
  }

  get ready() {
    if (this.kind === "dataset") return Boolean(this.split.value);
    return this.kind === "samples" || Boolean(this.matched?.pairs.length);
  }

  // What is still to be chosen, or "".
  get missing() {
    if (this.ready) return "";
    return t(this.kind === "pairs" ? "evaluate.missingPairs" : "evaluate.missingDataset");
  }

  get partsMode() {
    return this.parts.value;
  }

  // The set for the server. `upload(file)` brings a file there; told(done, total) hears how far that
  // is, and says whether to go on.
  async describe(upload, told) {
    if (this.kind === "samples") return { kind: "samples" };
    if (this.kind === "dataset") {
      return { kind: "dataset", dataset: this.dataset.value, split: this.split.value };
    }
    const { pictures, masks } = this.files;
    const pairs = this.matched.pairs.map(([i, j]) => ({ picture: pictures[i], mask: masks[j] }));
    const files = pairs.flatMap(({ picture, mask }) => [picture, mask]);
    const paths = await uploadAll(files, upload, told);
    return {
      kind: "pairs",
      pairs: pairs.map(({ picture, mask }) => ({
        picture: { path: paths.get(picture), name: picture.name },
        mask: { path: paths.get(mask), name: mask.name },
      })),
    };
  }

  set disabled(value) {
    for (const fieldset of this.node.querySelectorAll("fieldset")) fieldset.disabled = value;
  }

  #build() {
    const kinds = el("div", {
      class: "sr-kinds", role: "radiogroup", "aria-label": t("evaluate.kind"),
    });
    this.radios = {};
    for (const kind of KINDS) {
      this.radios[kind] = el("input", {
        type: "radio", name: "sr-evaluate-kind", value: kind,
        onchange: () => {
          this.chosen = true;
          this.#choose(kind);
          this.#changed();
        },
      });
      kinds.append(el("label", {}, this.radios[kind], el("span", { text: t(`evaluate.${kind}`) })));
    }
    this.dataset = el("select", {
      id: "sr-evaluate-dataset",
      onchange: () => {
        this.#listSplits();
        this.#changed();
      },
    });
    this.split = el("select", { id: "sr-evaluate-split", onchange: () => this.#changed() });
    this.datasetNote = el("p", { class: "sr-note", hidden: true });
    this.parts = el("select", { id: "sr-evaluate-parts", onchange: () => this.#changed() },
      ...PARTS.map((mode) => el("option", {
        value: mode, text: t(`evaluate.parts${mode[0].toUpperCase()}${mode.slice(1)}`),
      })));
    this.boxes = {
      pictures: this.#box("pictures", "upload"),
      masks: this.#box("masks", "mask"),
    };
    this.matchNote = el("div", { class: "sr-match", role: "status" });
    this.panels = {
      dataset: el("div", { class: "sr-set-panel" },
        field(t("evaluate.chooseDataset"), this.dataset),
        field(t("evaluate.chooseSplit"), this.split), this.datasetNote),
      pairs: el("div", { class: "sr-set-panel" },
        this.boxes.pictures.node, this.boxes.masks.node, this.matchNote),
      samples: el("div", { class: "sr-set-panel" },
        el("p", { class: "sr-note", text: t("evaluate.samplesNote") })),
    };
    return el("section", { class: "sr-set" },
      el("h2", { text: t("evaluate.setTitle") }),
      el("fieldset", {}, kinds, ...Object.values(this.panels),
        field(t("evaluate.parts"), this.parts)));
  }

  #box(role, iconName) {
    return new DropBox({
      id: `sr-evaluate-${role}`, title: t(`evaluate.${role}`), hint: t(`evaluate.${role}Hint`),
      iconName, multiple: true,
      onFiles: (files) => this.#filesChosen(role, [...files]),
      onClear: () => this.#filesChosen(role, []), onError: this.onError,
    });
  }

  async #filesChosen(role, files) {
    this.files[role] = files;
    const box = this.boxes[role];
    if (files.length) box.set(count("evaluate.files", files.length));
    else box.clear();
    this.matched = null;
    this.matchNote.replaceChildren();
    this.onChange();
    const { pictures, masks } = this.files;
    if (!pictures.length || !masks.length) return;
    const number = ++this.matching;
    const names = (list) => list.map((file) => file.name);
    try {
      const matched = await this.ask({
        action: "match", pictures: names(pictures), masks: names(masks),
      });
      if (number !== this.matching) return;
      this.matched = matched;
      this.#tellMatch(matched);
      this.onError(null);
    } catch (error) {
      if (number === this.matching) this.onError(error.message);
    }
    this.onChange();
  }

  #tellMatch({ pairs, problems }) {
    const parts = [el("p", { text: count("evaluate.matched", pairs.length) })];
    if (problems.length) {
      const list = el("ul", { class: "sr-problems" });
      for (const [name, reason] of problems) list.append(el("li", { text: `${name}: ${reason}` }));
      parts.push(el("details", { open: problems.length <= 5 },
        el("summary", { text: count("evaluate.unmatched", problems.length) }), list));
    }
    this.matchNote.replaceChildren(...parts);
  }

  #choose(kind) {
    this.kind = kind;
    this.radios[kind].checked = true;
    for (const [name, panel] of Object.entries(this.panels)) panel.hidden = name !== kind;
  }

  #listSplits() {
    const splits = Object.entries(this.datasets[this.dataset.value] ?? {});
    const options = splits.map(([name, pictures]) =>
      [name, t(pictures === 1 ? "evaluate.splitOne" : "evaluate.split", { name, count: pictures })]);
    // Validation pictures are what a model is measured on, unless somebody chooses otherwise.
    const first = splits.some(([name]) => name === "val") ? "val" : undefined;
    fill(this.split, options, this.split.value || this.wanted?.split || first);
    this.split.disabled = options.length === 0;
  }

  #changed() {
    this.wanted = { dataset: this.dataset.value, split: this.split.value };
    const { kind, parts, wanted } = this;
    remember("sessionStorage", CHOICE_KEY, JSON.stringify({ kind, parts: parts.value, ...wanted }));
    this.onChange();
  }

  #restore() {
    this.wanted = null;
    try {
      this.wanted = JSON.parse(recall("sessionStorage", CHOICE_KEY));
    } catch {
      // Something else has written there.
    }
    if (PARTS.includes(this.wanted?.parts)) this.parts.value = this.wanted.parts;
    // Files do not outlast a reload.
    this.#choose(this.wanted?.kind === "samples" ? "samples" : "dataset");
  }
}

export const count = (key, number) => t(number === 1 ? `${key}One` : key, { count: number });

// The label stands beside its control: within it, the text of every option would be part of it.
export function field(text, control) {
  return el("div", { class: "sr-field" }, el("label", { for: control.id, text }), control);
}

// Put options into a list and keep what is chosen, where that is still there.
function fill(select, options, wanted) {
  const value = select.value || wanted;
  select.replaceChildren(...options.map(([name, text]) => el("option", { value: name, text })));
  if (options.some(([name]) => name === value)) select.value = value;
}

// Three at a time: one would wait for each answer, many would keep others from the server.
async function uploadAll(files, upload, told) {
  const unique = [...new Set(files)];
  const paths = new Map();
  let next = 0;
  const worker = async () => {
    while (next < unique.length) {
      const file = unique[next++];
      paths.set(file, (await upload(file)).path);
      if (!told(paths.size, unique.length)) next = unique.length;
    }
  };
  told(0, unique.length);
  await Promise.all([worker(), worker(), worker()]);
  return paths;
}
