// Places to drop or choose files, and the list of samples.

import { el, fileUrl, icon } from "./dom.js";
import { ACCEPTED, dropped, isPicture } from "./drops.js";
import { t } from "./texts.js";

// A place to drop or choose files.
//   id        of the input
//   title     heading
//   hint      what to do here
//   multiple  whether several files can be chosen at once
//   accept    endings of files, as an input takes them
//   onFiles(files), onClear()
//   onError(sentence)  for a dropped folder without pictures; without it the folder is handed on
export class DropBox {
  constructor({ id, title, hint, iconName, multiple = false, accept = ACCEPTED, onFiles, onClear, onError }) {
    this.input = el("input", {
      type: "file", accept, id, multiple, "aria-describedby": `${id}-hint`,
      onchange: () => {
        const files = [...this.input.files];
        // Emptied, so that the same file can be chosen again.
        this.input.value = "";
        if (files.length) onFiles(files);
      },
    });
    this.thumbnail = el("img", { class: "sr-thumb", alt: "", hidden: true });
    this.name = el("span", { class: "sr-file-name" });
    const label = t("common.remove", { what: title });
    this.remove = el("button", {
      type: "button", class: "sr-remove", "aria-label": label, title: label, hidden: true,
      onclick: onClear,
    }, icon("cross"));
    const hints = el("span", { class: "sr-drop-hint", id: `${id}-hint`, text: hint });
    const drop = el("label", { class: "sr-drop", for: id },
      this.thumbnail, el("span", { class: "sr-drop-text" }, icon(iconName), this.name, hints));
    this.node = el("section", { class: "sr-source", "aria-label": title },
      el("header", {}, el("h2", { text: title }), this.remove), drop, this.input);
    acceptDrops(this.node, onFiles, onError);
    this.clear();
  }

  set(name, thumbnail = null) {
    this.name.textContent = name;
    this.node.classList.add("sr-filled");
    this.remove.hidden = false;
    this.thumbnail.hidden = thumbnail === null;
    if (thumbnail !== null && this.thumbnail.src !== thumbnail) this.thumbnail.src = thumbnail;
  }

  clear() {
    this.name.textContent = "";
    this.node.classList.remove("sr-filled");
    this.remove.hidden = true;
    this.thumbnail.hidden = true;
    this.thumbnail.removeAttribute("src");
  }
}

// Let files and folders be dropped on a node; what is dropped on a node within it is not its own.
export function acceptDrops(node, onFiles, onError) {
  const mark = (event, over) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    node.classList.toggle("sr-over", over);
  };
  node.addEventListener("dragover", (event) => mark(event, true));
  node.addEventListener("dragleave", (event) => mark(event, false));
  node.addEventListener("drop", async (event) => {
    mark(event, false);
    if (!event.dataTransfer) return;
    const plain = [...event.dataTransfer.files];
    // Of a folder its pictures alone: who drops one does not mean the lists and notes in it.
    const found = (await dropped(event.dataTransfer))
      .filter(({ name }) => !name.includes("/") || isPicture(name));
    if (found.length) onFiles(found.map(({ file }) => file));
    else if (plain.length && onError) onError(t("common.noPictures", { name: plain[0].name }));
    else if (plain.length) onFiles(plain);
  });
}

// A file that misses its place would replace the page: everything on it would be lost.
export function keepPage() {
  for (const name of ["dragover", "drop"]) {
    document.addEventListener(name, (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
  }
}

export function sampleList(samples, onPick) {
  const list = el("ul", { class: "sr-samples" });
  for (const sample of samples) {
    const picture = el("img", { alt: "", src: fileUrl(sample.file), loading: "lazy" });
    const button = el("button", {
      type: "button", "aria-pressed": "false", onclick: () => onPick(sample),
    }, picture, el("span", { text: sample.name }));
    button.dataset.sample = sample.name;
    list.append(el("li", {}, button));
  }
  return list;
}

// The name of the sample that an entry is, or null.
export function sampleOf(entry) {
  return entry?.source?.kind === "sample" ? entry.source.name : null;
}

// Show in the list which of the samples is seen, if any.
export function markSample(list, entry) {
  const name = sampleOf(entry);
  for (const button of list.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.sample === name));
  }
}
