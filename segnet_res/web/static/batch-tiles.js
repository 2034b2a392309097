// The pictures of a batch as tiles: larger than in the table, to look over many at a glance.

import { el, fileUrl, icon, percent } from "./dom.js";
import { t } from "./texts.js";

// The tile of a row; `sign` is the icon of its state, open() shows it in Inspect.
export function tile(row, sign, open) {
  const failed = row.state === "failed";
  const sentences = row.error ? [row.error] : row.reasons;
  const image = row.thumbnail && el("img", { alt: "", loading: "lazy", src: fileUrl(row.thumbnail) });
  const defects = row.defects === null ? "" : percent(row.defects);
  const content = [
    el("span", { class: "sr-batch-tile-image" }, image),
    el("span", { class: "sr-batch-tile-name", text: row.name }),
    el("span", { class: "sr-batch-tile-line" },
      el("span", { class: "sr-batch-state" }, icon(sign), t(`batch.${row.state}`)),
      el("span", { class: "sr-number", text: defects })),
  ];
  const attributes = { class: "sr-batch-tile", title: sentences.join("\n") || null };
  return el("li", { "data-name": row.name, "data-state": row.state },
    failed ? el("div", attributes, ...content)
      : el("button", { type: "button", ...attributes, onclick: open }, ...content));
}
