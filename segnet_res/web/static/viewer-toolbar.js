// The buttons above the viewer, the key of the colours, and the list of keys.

import { el, icon } from "./dom.js";
import { t } from "./texts.js";
import { REASONS } from "./views.js";

// How the keys of a viewer are told: in titles, in the list of keys, and where the mask is hidden.
export const KEYS = {
  view: (text, number) => t("viewer.withKey", { text, key: number }),
  title: (name) => t(`viewer.${name}Title`),
  hidden: () => t("viewer.maskHidden"),
  rows: (count) => [
    [`1 - ${count}`, t("viewer.keyViews")], [t("viewer.space"), t("viewer.keySpace")],
    ["+  -", t("viewer.keyZoom")], ["0", t("viewer.keyFit")], ["Z", t("viewer.keyActualSize")],
    ["F", t("viewer.keyFullScreen")], [t("viewer.arrows"), t("viewer.keyArrows")],
    [t("viewer.pages"), t("viewer.keyPages")], ["I", t("viewer.keyProbe")], ["?", t("viewer.keyHelp")],
  ],
};

export class Toolbar {
  // `ids` are the views; `act` has the functions mode(id), opacity(share), fit(), actualSize(),
  // fullScreen(); `keys` as above.
  constructor(ids, act, keys) {
    this.keys = keys;
    this.help = keyList(keys.rows(ids.length));
    this.buttons = Object.fromEntries(ids.map((id) => [id, el("button", {
      type: "button", text: t(`viewer.${id}`), onclick: () => act.mode(id),
    })]));
    ids.forEach((id) => this.allow(id, !(id in REASONS)));
    this.slider = el("input", {
      type: "range", min: 0, max: 100, "aria-label": t("viewer.opacityOf"),
      title: t("viewer.opacityOf"), oninput: () => act.opacity(this.slider.value / 100),
    });
    this.number = el("output");
    const button = (name, onclick, sign = null) => el("button", {
      type: "button", class: "sr-tool", title: keys.title(name),
      "aria-label": t(`viewer.${name}`), onclick,
    }, sign ?? t(`viewer.${name}`));
    this.tools = el("div", { class: "sr-tools" }, button("fit", act.fit),
      button("actualSize", act.actualSize), button("fullScreen", act.fullScreen, icon("expand")),
      button("keys", () => this.toggleHelp(), "?"));
    this.node = el("div", { class: "sr-toolbar" },
      el("div", { class: "sr-modes", role: "group", "aria-label": t("viewer.views") },
        ...Object.values(this.buttons)),
      el("label", { class: "sr-opacity" }, el("span", { text: t("viewer.opacity") }), this.slider,
        this.number),
      this.tools);
  }

  // Whether a view can be chosen; a title tells why not.
  allow(id, allowed) {
    const button = this.buttons[id];
    const number = Object.keys(this.buttons).indexOf(id) + 1;
    button.disabled = !allowed;
    button.title = allowed
      ? this.keys.view(t(`viewer.about${id}`), number)
      : t(REASONS[id] ?? "viewer.needsPicture");
  }

  show(id, opacity, blended) {
    for (const [name, button] of Object.entries(this.buttons)) {
      button.setAttribute("aria-pressed", String(name === id));
    }
    const number = Math.round(100 * opacity);
    // Not while it is dragged: the same value would be set again.
    if (this.slider.value !== String(number)) this.slider.value = number;
    this.number.textContent = t("viewer.percent", { number });
    this.slider.disabled = !blended;
  }

  toggleHelp() {
    if (this.help.open) this.help.close();
    else this.help.showModal();
  }
}

function keyList(rows) {
  const dialog = el("dialog", { class: "sr-keys", "aria-label": t("viewer.keys") },
    el("h2", { text: t("viewer.keys") }),
    el("dl", {}, ...rows.flatMap(([keys, text]) => [
      el("dt", {}, el("kbd", { text: keys })), el("dd", { text }),
    ])),
    el("button", { type: "button", class: "sr-tool", text: t("viewer.close"), onclick: () => dialog.close() }));
  return dialog;
}

// What the colours of a view mean, as `keyOf` tells it.
export function colorKey({ items, name, ramp, ticks }) {
  const dot = (color) => {
    const node = el("span", { class: "sr-dot" });
    node.style.backgroundColor = color;
    return node;
  };
  if (items) {
    return items.map((item) => el("li", {}, dot(item.color), item.name));
  }
  // The middle of the ramp stands for less than half of what lies between its ends.
  const bar = el("span", { class: "sr-ramp" }, ...ramp.map(dot), el("span", { text: ticks[1] }));
  return [el("li", {}, `${name} ${ticks[0]}`, bar, ticks[2])];
}
