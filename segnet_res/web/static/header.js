// Title and choice of the checkpoint. Other scripts hear of the choice by "segnet-res:model".

import { el, recall, remember, score } from "./dom.js";

const CHOICE_KEY = "segnet-res:model";

export function start({ element, value, onValue, send }) {
  const title = el("h1");
  const select = el("select", {
    id: "sr-model", onchange: () => announce(true),
    // A file that was put into the folder since is listed when the list is opened.
    onpointerdown: () => send.refresh({}),
    onfocus: () => send.refresh({}),
  });
  const label = el("label", { class: "sr-model", for: "sr-model" }, el("span", { text: "Checkpoint" }),
    select);
  element.classList.add("sr-head");
  element.replaceChildren(title, label);
  let announced = null;

  function announce(chosen) {
    const name = select.value || null;
    const choice = { name, reason: select.dataset.reason ?? null };
    if (chosen) remember("sessionStorage", CHOICE_KEY, name ?? "");
    const text = JSON.stringify(choice);
    if (text === announced) return;
    announced = text;
    window.segnetResModel = choice;
    document.dispatchEvent(new CustomEvent("segnet-res:model", { detail: choice }));
  }

  function receive() {
    const found = value();
    if (!found) return;
    title.textContent = found.title;
    const usable = found.models.filter((model) => !model.error);
    const wanted = select.value || recall("sessionStorage", CHOICE_KEY);
    select.dataset.reason = usable.length ? "" : emptyReason(found);
    const options = usable.map((model) => el("option", { value: model.name, text: describe(model) }));
    if (!usable.length) options.push(el("option", { value: "", text: "no checkpoint" }));
    // An open list would close if it were rebuilt without need.
    const same = select.options.length === options.length
      && options.every((option, i) => option.text === select.options[i].text);
    if (!same) select.replaceChildren(...options);
    select.disabled = !usable.length;
    if (usable.some((model) => model.name === wanted)) select.value = wanted;
    announce(false);
  }
  onValue(receive);
  receive();
}

function describe(model) {
  const miou = model.miou === null || model.miou === undefined ? "" : ` (mIoU ${score(model.miou, 2)})`;
  return model.name + miou;
}

function emptyReason({ folder, models }) {
  const remedy = "train one with segnet-res train, or start the page with --checkpoints FOLDER";
  return models.length
    ? `No checkpoint in ${folder} can be used (the Models tab has the reasons); ${remedy}.`
    : `There is no checkpoint in ${folder}; ${remedy}.`;
}
