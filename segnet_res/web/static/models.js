// The Models tab: a card for each checkpoint, with its reason where one cannot be used.

import { el, score, swatch } from "./dom.js";

export function start({ element, value, onValue }) {
  element.classList.add("sr-models");
  const receive = () => {
    const found = value();
    if (!found) return;
    const empty = el("p", { class: "sr-empty", text: `No checkpoint in ${found.folder}.` });
    const usable = found.models.filter((model) => !model.error);
    const broken = found.models.filter((model) => model.error);
    element.replaceChildren(...(found.models.length ? [...usable, ...broken].map(card) : [empty]));
    element.dataset.ready = String(found.models.length);
  };
  onValue(receive);
  receive();
}

function card(model) {
  const title = el("h2", { text: model.name });
  if (model.error) {
    return el("article", { class: "sr-model-card sr-broken" }, title,
      el("p", { text: `Cannot be used. ${model.error}` }));
  }
  const facts = el("dl");
  const add = (term, text) => {
    if (text) facts.append(el("dt", { text: term }), el("dd", { text }));
  };
  add("Architecture", `${model.architecture}, ${model.channels === 1 ? "grey" : "RGB"}`);
  add("Trained on", model.data && model.data + (model.trained_on ? `, ${model.trained_on} pictures` : ""));
  add("Created", model.created?.replace("T", " ").replace(/(\.\d+)?\+00:00$/, " UTC"));
  add("Parent", model.parent);
  add("Size", `${(model.bytes / 1e6).toFixed(1)} MB`);
  add("Licence", model.licence);
  const miou = model.miou ?? null;
  const headline = miou === null
    ? el("p", { class: "sr-note", text: "No validation score is stored." })
    : el("p", { class: "sr-headline" }, el("strong", { text: score(miou) }),
      ` validation mIoU${model.images ? `, ${model.images} pictures` : ""}`);
  const heading = el("p", { class: "sr-note", text: miou === null ? "Classes" : "Classes and their validation IoU" });
  const classes = el("ul", { class: "sr-class-list" });
  for (const row of model.classes) {
    classes.append(el("li", {}, swatch(row.color), el("span", { class: "sr-name", text: row.name }),
      el("span", { class: "sr-number", text: model.miou === null ? "" : score(row.iou) })));
  }
  return el("article", { class: "sr-model-card" }, title, headline, facts, heading, classes);
}
