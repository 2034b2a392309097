// What counts as found and what is allowed: sliders, limits, or a file of limits. Other tabs read
// `window.segnetResJudge` and hear of changes by "segnet-res:judge".

import { el, icon, recall, remember, swatch } from "./dom.js";
import { numberInput, putNumber } from "./numbers.js";
import { t } from "./texts.js";

const KEY = "segnet-res:judge";
const DEFAULT_SHARE = 0.1;
const MAX_SPEC_BYTES = 200_000;

// The slider of the smallest region goes in steps that feel equal.
const REGIONS = [
  0, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400,
  500, 600, 800, 1000, 1200, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 8000, 10_000, 20_000,
  50_000, 100_000,
];

const RULES = ["share", "count", "area", "length"];

export class JudgeControls {
  // onChange() is called after each change; `fields()` tells what is set.
  constructor({ onChange }) {
    this.onChange = onChange;
    this.set = stored();
    this.classes = [];
    this.#build();
    this.#announce();
  }

  // What the server takes.
  fields() {
    const { threshold, min_region, limits, spec, spec_name } = this.set;
    return { threshold, min_region, limits, spec, spec_name };
  }

  // The classes of the result that is seen, to set limits for.
  showClasses(classes, background) {
    const wanted = classes.filter((row) => row.index !== background);
    const same = JSON.stringify(wanted.map((row) => [row.name, row.color]));
    // Rebuilt for other classes only: the field that somebody writes in must stay.
    if (same !== this.shown) this.#listClasses(wanted);
    this.shown = same;
    this.share.disabled = background === null;
    // Without a background nothing can be taken back to it.
    for (const input of [this.threshold, this.region, this.regionExact]) {
      input.disabled = background === null;
    }
  }

  async takeSpec(file) {
    // Of a file that is too long enough is read for the server to say so.
    this.#change({ spec: await file.slice(0, MAX_SPEC_BYTES + 1).text(), spec_name: file.name });
  }

  #build() {
    const { threshold, min_region: region } = this.set;
    this.threshold = el("input", {
      type: "range", min: 0, max: 100, step: 1, value: threshold, id: "sr-threshold",
      "aria-describedby": "sr-threshold-help",
      oninput: () => this.#change({ threshold: Number(this.threshold.value) }),
    });
    this.thresholdNumber = el("output", { for: "sr-threshold" });
    this.region = el("input", {
      type: "range", min: 0, max: REGIONS.length - 1, step: 1, value: stepOf(region), id: "sr-region",
      oninput: () => this.#change({ min_region: REGIONS[Number(this.region.value)] }),
    });
    this.regionExact = numberInput({
      most: 1e9, whole: true, value: region, class: "sr-exact", "aria-label": t("inspect.regionExact"),
      onNumber: (value) => {
        if (value !== null && value >= 0) this.#change({ min_region: value }, this.regionExact);
      },
      onchange: () => putNumber(this.regionExact, this.set.min_region),
    });
    this.share = this.#limitInput(t("inspect.limitShare"), () => this.set.limits.share, { most: 100 }, (value) => {
      this.#change({ limits: { ...this.set.limits, share: value } });
    });
    this.sliders = el("section", { class: "sr-sliders", "aria-label": t("inspect.counts") },
      el("div", { class: "sr-slider", title: t("inspect.thresholdHelp") },
        el("label", { for: "sr-threshold", text: t("inspect.threshold") }), this.threshold,
        this.thresholdNumber),
      el("span", { class: "sr-aloud", id: "sr-threshold-help", text: t("inspect.thresholdHelp") }),
      el("div", { class: "sr-slider", title: t("inspect.regionHelp") },
        el("label", { for: "sr-region", text: t("inspect.region") }), this.region,
        el("span", { class: "sr-exact-box" }, this.regionExact, "px")));
    this.table = el("div", { class: "sr-limit-table" });
    this.specName = el("span", { class: "sr-spec-name" });
    const choose = el("input", {
      type: "file", id: "sr-spec", accept: ".yaml,.yml", class: "sr-hidden-input",
      onchange: () => {
        const [file] = choose.files;
        choose.value = "";
        if (file) this.takeSpec(file);
      },
    });
    this.removeSpec = el("button", {
      type: "button", class: "sr-remove", "aria-label": t("inspect.removeSpec"),
      title: t("inspect.removeSpec"),
      onclick: () => this.#change({ spec: null, spec_name: null }),
    }, icon("cross"));
    const file = el("div", { class: "sr-spec" }, choose,
      el("label", { for: "sr-spec", class: "sr-tool", text: t("inspect.chooseSpec") }),
      this.specName, this.removeSpec);
    this.details = el("details", { class: "sr-limits" },
      el("summary", { text: t("inspect.limits") }), file,
      el("p", { class: "sr-note", text: t("inspect.limitsHelp") }), this.table);
    this.#reflect(null);
  }

  #listClasses(classes) {
    const head = el("tr", {}, el("th", { scope: "col", text: t("inspect.class") }),
      ...RULES.map((rule) => el("th", {
        scope: "col", text: t(`inspect.rule-${rule}`), title: t(`inspect.ruleHelp-${rule}`),
      })));
    const rows = classes.map((row) => {
      const cells = RULES.map((rule) => {
        const label = t("inspect.limitOf", { name: row.name, rule: t(`inspect.ruleHelp-${rule}`) });
        const kind = rule === "share" ? { most: 100 } : { most: 1e6 - 1, whole: true };
        const counts = () => this.set.limits.classes[row.name]?.[rule];
        return el("td", {}, this.#limitInput(label, counts, kind, (value) => {
          this.#limitClass(row.name, rule, value);
        }));
      });
      const name = el("th", { scope: "row", title: row.name }, swatch(row.color),
        el("span", { class: "sr-name", text: row.name }));
      return el("tr", {}, name, ...cells);
    });
    this.table.replaceChildren(el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows)));
    this.#reflect(null);
  }

  // counts() tells what counts; when somebody leaves the field nothing else may stand there.
  #limitInput(label, counts, kind, act) {
    const input = numberInput({
      ...kind, value: counts() ?? null, placeholder: "–", "aria-label": label,
      onNumber: (number) => {
        if (!Number.isNaN(number)) act(number);
      },
      onchange: () => putNumber(input, counts() ?? null),
    });
    return input;
  }

  #limitClass(name, rule, value) {
    const classes = { ...this.set.limits.classes };
    const rules = { ...classes[name], [rule]: value };
    if (value === null) delete rules[rule];
    if (Object.keys(rules).length) classes[name] = rules;
    else delete classes[name];
    this.#change({ limits: { ...this.set.limits, classes } });
  }

  // `writing` is the field that somebody writes in: its text stays as it is.
  #change(fields, writing = null) {
    this.set = { ...this.set, ...fields };
    remember("localStorage", KEY, JSON.stringify(this.set));
    this.#reflect(writing);
    this.#announce();
    this.onChange();
  }

  #reflect(writing) {
    const { threshold, min_region: region, spec, spec_name: name } = this.set;
    this.thresholdNumber.textContent = t("inspect.percent", { number: threshold });
    this.threshold.setAttribute("aria-valuetext", this.thresholdNumber.textContent);
    this.region.value = String(stepOf(region));
    this.region.setAttribute("aria-valuetext", t("inspect.pixels", { number: region }));
    if (writing !== this.regionExact) this.regionExact.value = String(region);
    const filed = spec !== null;
    this.specName.textContent = filed ? name : t("inspect.noSpec");
    this.removeSpec.hidden = !filed;
    // Limits of a file are the only ones: fields that do nothing would deceive.
    this.share.disabled = filed;
    for (const input of this.table.querySelectorAll("input")) input.disabled = filed;
    this.details.classList.toggle("sr-filed", filed);
  }

  #announce() {
    window.segnetResJudge = this.fields();
    document.dispatchEvent(new CustomEvent("segnet-res:judge", { detail: this.fields() }));
  }
}

function stepOf(pixels) {
  const step = REGIONS.findIndex((value) => value >= pixels);
  return step < 0 ? REGIONS.length - 1 : step;
}

// What was set before; anything may stand in a browser's storage.
function stored() {
  const start = {
    threshold: 0, min_region: 0, limits: { share: DEFAULT_SHARE, classes: {} }, spec: null,
    spec_name: null,
  };
  let found = null;
  try {
    found = JSON.parse(recall("localStorage", KEY));
  } catch {
    // Not ours.
  }
  if (found === null || typeof found !== "object") return start;
  const number = (value, most) => Number.isFinite(value) && value >= 0 && value <= most;
  if (number(found.threshold, 100)) start.threshold = Math.round(found.threshold);
  if (number(found.min_region, 1e9)) start.min_region = Math.round(found.min_region);
  const { share, classes } = found.limits ?? {};
  if (share === null || number(share, 100)) start.limits.share = share;
  if (classes && typeof classes === "object") start.limits.classes = classes;
  if (typeof found.spec === "string" && typeof found.spec_name === "string") {
    Object.assign(start, { spec: found.spec, spec_name: found.spec_name });
  }
  return start;
}
