// Title, choice of the checkpoint, and who is logged in. Other scripts hear of the choice by
// "segnet-res:model", and choose by "segnet-res:choose" with the name of a checkpoint; by
// "segnet-res:refresh" they say that the list has changed, and which one of it shall be chosen.

import { el, forgetAll, recall, remember, score } from "./dom.js";
import { followAddress } from "./tabs.js";
import { t } from "./texts.js";

const CHOICE_KEY = "segnet-res:model";

export function start({ element, value, onValue, send }) {
  const title = el("h1");
  const select = el("select", {
    id: "sr-model", onchange: () => announce(true),
    // A file that was put into the folder since is listed when the list is opened.
    onpointerdown: () => send.refresh({}),
    onfocus: () => send.refresh({}),
  });
  const label = el("label", { class: "sr-model", for: "sr-model" },
    el("span", { text: t("models.checkpoint") }), select);
  const account = el("div", { class: "sr-account", hidden: true });
  element.classList.add("sr-head");
  element.replaceChildren(title, label, account);
  let announced = null;
  // Chosen as soon as it is listed.
  let coming = null;

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

  document.addEventListener("segnet-res:choose", ({ detail }) => {
    if (![...select.options].some((option) => option.value === detail)) return;
    select.value = detail;
    announce(true);
  });

  document.addEventListener("segnet-res:refresh", ({ detail }) => {
    coming = detail?.choose ?? null;
    send.refresh({});
  });

  function receive() {
    const found = value();
    if (!found) return;
    // Only the first value of a page has these two.
    if (found.title) title.textContent = found.title;
    if (found.user) showUser(account, found.user);
    const usable = found.models.filter((model) => !model.error);
    const wanted = select.value || recall("sessionStorage", CHOICE_KEY);
    select.dataset.reason = usable.length ? "" : emptyReason(found);
    const options = usable.map((model) => el("option", { value: model.name, text: describe(model) }));
    if (!usable.length) options.push(el("option", { value: "", text: t("models.noCheckpoint") }));
    // An open list would close if it were rebuilt without need.
    const same = select.options.length === options.length
      && options.every((option, i) => option.text === select.options[i].text);
    if (!same) select.replaceChildren(...options);
    select.disabled = !usable.length;
    const listed = (name) => usable.some((model) => model.name === name);
    const came = listed(coming);
    if (came || listed(wanted)) select.value = came ? coming : wanted;
    if (came) coming = null;
    announce(came);
  }
  onValue(receive);
  receive();
  followAddress();
}

// Logging out is a form, so that no link of another site can do it. Whoever logs in next at the same
// browser shall not find what this person had open.
function showUser(account, user) {
  account.replaceChildren(
    el("span", { class: "sr-note", text: t("models.user", { user }) }),
    el("form", {
      method: "post", action: new URL("logout", document.baseURI).href,
      onsubmit: () => forgetAll("sessionStorage"),
    },
      el("button", { type: "submit", text: t("models.logOut") })),
  );
  account.hidden = false;
}

function describe({ name, miou, serving }) {
  const known = miou !== null && miou !== undefined;
  const text = known ? t("models.withMiou", { name, miou: score(miou, 2) }) : name;
  return serving ? t("models.withServing", { text }) : text;
}

function emptyReason({ folder, models }) {
  const key = models.length ? "models.noneUsable" : "models.noneThere";
  return t(key, { folder, remedy: t("models.remedy") });
}
