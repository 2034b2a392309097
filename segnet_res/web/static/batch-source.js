// Left column of the Batch tab: which pictures, from this computer or from a folder of the server.

import { el, icon } from "./dom.js";
import { ACCEPTED, byName, dropped, isPicture } from "./drops.js";
import { t } from "./texts.js";

// A question to the server may not be larger than this many names make it.
const MOST_FILES = 5000;
const MAX_BYTES = 512 * 2 ** 20;

export const count = (key, number, values = {}) =>
  t(number === 1 ? `${key}One` : key, { count: number, ...values });

export class BatchSource {
  // ask(fields) asks the server; onChange() is called when something else is chosen; onError(sentence
  // or null) when the choice cannot be used.
  constructor({ ask, onChange, onError }) {
    this.ask = ask;
    this.onChange = onChange;
    this.onError = onError;
    this.files = []; // {file, name}
    this.samples = false; // whether the drawn parts are chosen
    this.looks = 0;
    this.node = this.#build();
  }

  get ready() {
    return this.samples || this.files.length > 0 || this.folder.value !== "";
  }

  set disabled(value) {
    this.set.disabled = value;
  }

  // The folders of the server; an empty list where the start command allowed none.
  list(folders) {
    const chosen = this.folder.value;
    this.folderField.hidden = folders.length === 0;
    this.folderNote.hidden = folders.length === 0 ? false : !chosen;
    if (!folders.length) this.folderNote.textContent = t("batch.noFolders");
    this.folder.replaceChildren(el("option", { value: "", text: t("batch.folderNone") }),
      ...folders.map((name) => el("option", {
        value: name, text: name === "." ? t("batch.folderRoot") : name,
      })));
    if (folders.includes(chosen)) this.folder.value = chosen;
  }

  // The pictures for the server. `upload(file)` brings a file there; told(done, total) how far that
  // is; going() says whether it is still wanted.
  async describe(upload, told, going) {
    if (this.samples) return { kind: "samples" };
    if (!this.files.length) return { kind: "folder", folder: this.folder.value };
    const sent = new Array(this.files.length);
    let next = 0;
    let done = 0;
    // Three at a time: one would wait for each answer, many would keep others from the server.
    const worker = async () => {
      while (next < this.files.length && going()) {
        const i = next++;
        const { file, name } = this.files[i];
        sent[i] = { path: await uploaded(file, name, upload), name };
        told(++done, sent.length);
      }
    };
    told(0, sent.length);
    await Promise.all([worker(), worker(), worker()]);
    return { kind: "uploads", files: sent };
  }

  #build() {
    const input = (id, attributes) => {
      const node = el("input", {
        id, type: "file", class: "sr-batch-input", ...attributes,
        onchange: () => {
          this.#choose([...node.files].map((file) =>
            ({ file, name: file.webkitRelativePath || file.name })));
          // Emptied, so that the same files can be chosen again.
          node.value = "";
        },
      });
      return node;
    };
    const choice = (text, node) => el("label", { class: "sr-batch-choice", for: node.id }, node,
      el("span", { text }));
    this.summary = el("strong", { class: "sr-file-name" });
    this.note = el("span", { class: "sr-drop-hint", text: t("batch.sourceHint") });
    this.remove = el("button", {
      type: "button", class: "sr-remove", "aria-label": t("batch.remove"), title: t("batch.remove"),
      hidden: true, onclick: () => this.#clear(),
    }, icon("cross"));
    this.folderNote = el("p", { class: "sr-note", role: "status", hidden: true });
    this.folder = el("select", { id: "sr-batch-folder", onchange: () => this.#folderChosen() },
      el("option", { value: "", text: t("batch.folderNone") }));
    this.folderField = el("div", { class: "sr-field", hidden: true },
      el("label", { for: "sr-batch-folder", text: t("batch.folder") }), this.folder);
    const box = el("section", { class: "sr-source", "aria-label": t("batch.sourceTitle") },
      el("header", {}, el("h2", { text: t("batch.sourceTitle") }), this.remove),
      el("div", { class: "sr-batch-drop" }, icon("upload"), this.summary, this.note,
        el("div", { class: "sr-batch-choices" },
          choice(t("batch.chooseFiles"),
            input("sr-batch-files", { multiple: true, accept: ACCEPTED })),
          choice(t("batch.chooseFolder"),
            input("sr-batch-directory", { multiple: true, webkitdirectory: true })),
          el("button", {
            type: "button", class: "sr-batch-choice", text: t("batch.chooseSamples"),
            title: t("batch.samplesHelp"), onclick: () => this.#samplesChosen(),
          }))));
    this.box = box;
    this.set = el("fieldset", { class: "sr-batch-source" }, box, this.folderField, this.folderNote);
    return this.set;
  }

  // Files may be dropped anywhere on `node`: beside it the browser would leave the page for them.
  acceptDrops(node) {
    const mark = (event, over) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      this.box.classList.toggle("sr-over", over && !this.set.disabled);
    };
    node.addEventListener("dragover", (event) => mark(event, true));
    node.addEventListener("dragleave", (event) => mark(event, false));
    node.addEventListener("drop", async (event) => {
      mark(event, false);
      if (this.set.disabled || !event.dataTransfer) return;
      this.#choose(await dropped(event.dataTransfer));
    });
  }

  #choose(found) {
    if (!found.length) return;
    const pictures = found.filter(({ name }) => isPicture(name));
    const left = found.length - pictures.length;
    const unusable = refusal(pictures);
    if (unusable) return this.onError(unusable);
    this.files = pictures.sort(byName);
    this.samples = false;
    this.#leaveFolder();
    const bytes = pictures.reduce((sum, { file }) => sum + file.size, 0);
    this.summary.textContent = count("batch.files", pictures.length, { size: size(bytes) });
    this.note.textContent = left ? count("batch.leftOut", left) : "";
    this.remove.hidden = false;
    this.onError(null);
    this.onChange();
  }

  #samplesChosen() {
    this.#clear();
    this.samples = true;
    this.#leaveFolder();
    this.summary.textContent = t("batch.samples");
    this.note.textContent = "";
    this.remove.hidden = false;
    this.onChange();
  }

  #leaveFolder() {
    this.folder.value = "";
    this.looks++;
    this.folderNote.hidden = this.folder.options.length > 1;
  }

  #clear() {
    this.files = [];
    this.samples = false;
    this.summary.textContent = "";
    this.note.textContent = t("batch.sourceHint");
    this.remove.hidden = true;
    this.onError(null);
    this.onChange();
  }

  async #folderChosen() {
    const folder = this.folder.value;
    const look = ++this.looks;
    if (folder) this.#clear();
    this.folderNote.hidden = !folder;
    this.folderNote.textContent = folder ? t("batch.folderCounting") : "";
    this.onChange();
    if (!folder) return;
    try {
      const { pictures } = await this.ask({ action: "look", folder });
      if (look === this.looks) this.folderNote.textContent = count("batch.folderPictures", pictures);
    } catch (error) {
      if (look !== this.looks) return;
      this.folderNote.textContent = "";
      this.onError(error.message);
    }
  }
}

// Why these pictures cannot be brought to the server; told before the first one is under way.
function refusal(pictures) {
  if (!pictures.length) return t("batch.noPictures");
  if (pictures.length > MOST_FILES) {
    return t("batch.tooMany", { count: pictures.length, most: MOST_FILES });
  }
  const large = pictures.find(({ file }) => file.size > MAX_BYTES);
  return large
    ? t("batch.tooLarge", { name: large.name, size: Math.round(large.file.size / 2 ** 20) }) : null;
}

async function uploaded(file, name, upload) {
  try {
    return (await upload(file)).path;
  } catch (error) {
    throw new Error(t("batch.uploadFailed", { name, reason: error?.message ?? error }));
  }
}

function size(bytes) {
  const mega = bytes / 2 ** 20;
  if (mega < 1) return `${Math.max(1, Math.round(bytes / 1024))} kB`;
  return mega < 1024 ? `${mega.toFixed(mega < 10 ? 1 : 0)} MB` : `${(mega / 1024).toFixed(1)} GB`;
}
