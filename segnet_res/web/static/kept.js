// What a tab has open, for when the browser loads the page again: Gradio lets it do so whenever the
// connection was lost, and nobody should have to gather the pictures anew.

import { recall, remember } from "./dom.js";

// Note pictures and which of them is seen. One whose file is still on its way cannot be found again.
export function keep(key, entries, current) {
  const known = entries.filter(({ source }) => source);
  const pictures = known.map(({ source, name, reference, lazy }) => ({
    source, name, lazy, reference: found(reference),
  }));
  remember("sessionStorage", key, JSON.stringify({ pictures, index: known.indexOf(current) }));
}

// -> {pictures, index} of `keep`; no pictures where nothing was kept.
export function kept(key) {
  return JSON.parse(recall("sessionStorage", key) || null) ?? { pictures: [], index: -1 };
}

function found(reference) {
  if (!reference || reference.kind === "own") return reference ?? null;
  const { kind, path, name } = reference;
  return path ? { kind, path, name } : null;
}
