// Every text of the page lies in the folder `texts`, so that a translation has one place to look.
// The sentences of errors come from the server.

import annotate from "./texts/annotate.js";
import batch from "./texts/batch.js";
import common from "./texts/common.js";
import compare from "./texts/compare.js";
import editor from "./texts/editor.js";
import evaluate from "./texts/evaluate.js";
import inspect from "./texts/inspect.js";
import jobs from "./texts/jobs.js";
import models from "./texts/models.js";
import promote from "./texts/promote.js";
import registry from "./texts/registry.js";
import train from "./texts/train.js";
import viewer from "./texts/viewer.js";

const TEXTS = {
  annotate, batch, common, compare, editor, evaluate, inspect, jobs, models, promote, registry, train,
  viewer,
};

// The text of a key such as "inspect.pictureHint", with the values in place of {name}.
export function t(key, values = {}) {
  const [part, name] = key.split(".");
  const text = TEXTS[part]?.[name];
  if (text === undefined) throw new Error(`no text is called ${key}`);
  return text.replace(/\{(\w+)\}/g, (whole, word) => (word in values ? String(values[word]) : whole));
}
