// What the Inspect tab says in words: an error, doubts, and how far it is.

import { el } from "./dom.js";
import { t } from "./texts.js";

export class Messages {
  constructor() {
    this.alert = el("div", { class: "sr-alert", role: "alert", hidden: true });
    this.warnings = el("div", { class: "sr-warnings", role: "status" });
    this.status = el("div", { class: "sr-status" });
    // For screen readers: seconds that count up would be a flood.
    this.aloud = el("span", { class: "sr-aloud", role: "status" });
  }

  fail(sentence) {
    this.alert.textContent = sentence ?? "";
    this.alert.hidden = !sentence;
  }

  warn(sentences) {
    this.warnings.replaceChildren(...sentences.map((text) => el("p", {},
      el("strong", { text: t("inspect.check") }), ` ${text}`)));
  }

  say(text) {
    clearInterval(this.timer);
    this.status.textContent = text;
    this.aloud.textContent = "";
  }

  // Seconds show that something goes on: a large picture takes its time. `ahead()` tells how many
  // others are before, `still()` whether there is anything to wait for.
  count(name, { ahead, still }) {
    this.say("");
    const began = performance.now();
    const tell = () => {
      if (!still()) return clearInterval(this.timer);
      const seconds = Math.floor((performance.now() - began) / 1000);
      const waiting = ahead() ? waitingText(ahead()) : null;
      this.status.textContent = waiting ?? t("inspect.working", { name, seconds });
      const aloud = waiting ?? t("inspect.workingAloud", { name });
      if (this.aloud.textContent !== aloud) this.aloud.textContent = aloud;
    };
    this.timer = setInterval(tell, 500);
    tell();
  }

  // What a result is and how long it took.
  summarize({ image, step, tta, timings }) {
    const stages = ["read", "load", "model", "files", "regions", "metrics"];
    // Loading is told when there was some.
    const times = stages.filter((name) => name !== "load" || timings[name] >= 20)
      .map((name) => t("inspect.stage", { name: t(`inspect.stage-${name}`), ms: timings[name] ?? 0 }));
    const size = t("inspect.size", { width: image.width, height: image.height });
    const reduced = step > 1 ? [t("inspect.reduced", { step })] : [];
    const averaged = tta === "flips" ? [t("inspect.averaged")] : [];
    this.say([size, ...averaged, ...times, ...reduced].join(" · "));
  }
}

export function waitingText(ahead) {
  return ahead === 1 ? t("inspect.waitingOne") : t("inspect.waiting", { ahead });
}
