// Left column of the Inspect tab: picture, reference mask, samples.

import { el, fileUrl, icon } from "./dom.js";

const ACCEPTED = ".png,.jpg,.jpeg,.tif,.tiff,.webp,.bmp";

// A place to drop or choose one file.
export class DropBox {
  constructor({ id, title, hint, iconName, onFile, onClear }) {
    this.input = el("input", {
      type: "file", accept: ACCEPTED, id, "aria-describedby": `${id}-hint`,
      onchange: () => {
        const [file] = this.input.files;
        // Emptied, so that the same file can be chosen again.
        this.input.value = "";
        if (file) onFile(file);
      },
    });
    this.thumbnail = el("img", { class: "sr-thumb", alt: "", hidden: true });
    this.name = el("span", { class: "sr-file-name" });
    this.remove = el("button", {
      type: "button", class: "sr-remove", "aria-label": `Remove: ${title}`, title: "Remove",
      hidden: true, onclick: onClear,
    }, icon("cross"));
    const hints = el("span", { class: "sr-drop-hint", id: `${id}-hint`, text: hint });
    const label = el("label", { class: "sr-drop", for: id },
      this.thumbnail, el("span", { class: "sr-drop-text" }, icon(iconName), this.name, hints));
    this.node = el("section", { class: "sr-source" },
      el("header", {}, el("h2", { text: title }), this.remove), label, this.input);
    acceptDrops(this.node, onFile);
    this.clear();
  }

  set(name, thumbnail = null) {
    this.name.textContent = name;
    this.node.classList.add("sr-filled");
    this.remove.hidden = false;
    this.thumbnail.hidden = thumbnail === null;
    if (thumbnail !== null) this.thumbnail.src = thumbnail;
  }

  clear() {
    this.name.textContent = "";
    this.node.classList.remove("sr-filled");
    this.remove.hidden = true;
    this.thumbnail.hidden = true;
    this.thumbnail.removeAttribute("src");
  }
}

export function acceptDrops(node, onFile) {
  const mark = (event, over) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    node.classList.toggle("sr-over", over);
  };
  node.addEventListener("dragover", (event) => mark(event, true));
  node.addEventListener("dragleave", (event) => mark(event, false));
  node.addEventListener("drop", (event) => {
    mark(event, false);
    const [file] = event.dataTransfer?.files ?? [];
    if (file) onFile(file);
  });
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

export function markSample(list, name) {
  for (const button of list.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.sample === name));
  }
}
