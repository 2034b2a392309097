// Pieces of the form of a retraining.

import { el } from "./dom.js";
import { t } from "./texts.js";

// A box to tick with its name, and a note that belongs to it.
export function checkBox(id, name, note, checked, onChange) {
  const box = el("input", {
    type: "checkbox", id, checked, onchange: onChange, "aria-describedby": note ? `${id}-note` : null,
  });
  const node = el("div", { class: "sr-train-check" },
    el("label", { class: "sr-check", for: id }, box, el("span", { class: "sr-name", text: name })),
    note ? el("span", { class: "sr-note", id: `${id}-note`, text: note }) : null);
  return { box, node };
}

// Put options into a list and keep what is chosen, where that is still there.
export function fill(select, options, first = null) {
  const value = select.value || first;
  const same = options.length === select.options.length
    && options.every(([name, text], i) => select.options[i].value === name && select.options[i].text === text);
  // An open list would close if it were rebuilt without need.
  if (!same) select.replaceChildren(...options.map(([name, text]) => el("option", { value: name, text })));
  if (options.some(([name]) => name === value)) select.value = value;
}

// A part of the form with its number and title.
export function section(number, key, ...children) {
  const title = t(`train.${key}`);
  return el("fieldset", { class: "sr-train-part" },
    el("legend", { text: t("train.formHead", { number, title }) }), ...children);
}

// What a new retraining of a dataset is called unless somebody says otherwise.
export function freeName(dataset, taken, today = new Date()) {
  const plain = dataset.split("/").at(-1).replace(/[^\p{L}\p{N}_ .()+-]/gu, "_").replace(/^[^\p{L}\p{N}_]+/u, "");
  const two = (number) => String(number).padStart(2, "0");
  const day = `${today.getFullYear()}-${two(today.getMonth() + 1)}-${two(today.getDate())}`;
  const stem = `${plain.slice(0, 40) || "run"}-${day}`;
  const names = new Set(taken.map((name) => name.toLowerCase()));
  for (let i = 1; ; i++) {
    const name = i === 1 ? stem : `${stem}-${i}`;
    if (!names.has(name.toLowerCase())) return name;
  }
}
