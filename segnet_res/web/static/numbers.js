// Fields for numbers. A browser's own drop a comma while it is typed wherever they expect a point, so
// that a limit of 0,5 became 05: here both part the whole from the rest.

import { el } from "./dom.js";
import { t } from "./texts.js";

const NUMBER = /^(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?$/i;

// The number that a text says: null where it is empty, NaN where it is none.
export function parsed(text, { most = Infinity, whole = false } = {}) {
  const plain = text.trim();
  if (plain === "") return null;
  const number = (whole ? /^\d+$/ : NUMBER).test(plain) ? Number(plain.replace(",", ".")) : NaN;
  return number <= most ? number : NaN;
}

// onNumber(number) is called while somebody writes: null for an empty field, NaN for what is no number
// from 0 to `most`, which is marked.
export function numberInput({ most = Infinity, whole = false, onNumber, ...attributes }) {
  const input = el("input", {
    type: "text", inputmode: whole ? "numeric" : "decimal", autocomplete: "off", ...attributes,
    oninput: () => {
      const number = numberOf(input);
      mark(input, Number.isNaN(number) ? wrong(most, whole) : null);
      onNumber(number);
    },
  });
  rules.set(input, { most, whole });
  return input;
}

const rules = new WeakMap();

export function numberOf(input) {
  return parsed(input.value, rules.get(input));
}

// Write a number into a field, whatever stood there.
export function putNumber(input, number) {
  input.value = number === null ? "" : String(number);
  mark(input, null);
}

function mark(input, sentence) {
  if (sentence === null) {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("title");
  } else {
    input.setAttribute("aria-invalid", "true");
    input.title = sentence;
  }
}

function wrong(most, whole) {
  const kind = whole ? "whole" : "number";
  return Number.isFinite(most) ? t(`common.${kind}To`, { most: most.toLocaleString("en") }) : t(`common.${kind}`);
}
