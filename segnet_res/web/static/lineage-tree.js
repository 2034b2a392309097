// The family tree of checkpoints as nested lists, which CSS joins by lines.

import { el, icon, score } from "./dom.js";
import { t } from "./texts.js";

// nodes: as `Node.to_dict` gives them, a parent for each or null; serving: SHA-256, or null
export function familyTree(nodes, serving) {
  const children = new Map();
  for (const node of nodes) {
    if (!children.has(node.parent)) children.set(node.parent, []);
    children.get(node.parent).push(node);
  }
  const branch = (parent) => {
    const own = children.get(parent) ?? [];
    if (!own.length) return null;
    return el("ul", { class: "sr-branch" }, ...own.map((node) => el("li", {},
      person(node, Boolean(serving?.startsWith(node.id))), branch(node.id))));
  };
  return el("div", { class: "sr-tree sr-scroll", tabindex: "0", role: "group", "aria-label": t("registry.treeTitle") },
    branch(null));
}

function person(node, serves) {
  const known = node.names.length > 0;
  const head = el("p", { class: "sr-tree-name" }, el("strong", { text: node.name }),
    el("code", { text: node.id, title: t("registry.hashTitle") }), serves ? servesMark() : null);
  return el("article", {
    class: `sr-tree-node${known ? "" : " sr-unknown"}${serves ? " sr-serves" : ""}`, "data-name": node.name,
  }, head, ...(known ? facts(node) : [el("p", { class: "sr-note", text: t("registry.missing") })]),
  ...more(node));
}

// "serves", with its sign; for cards and tree.
export function servesMark() {
  return el("span", { class: "sr-serves-mark", title: t("registry.servesTitle") }, icon("tick"), t("registry.serves"));
}

function facts(node) {
  const { miou, images: count } = node;
  const rows = [];
  const first = [];
  if (miou !== null) first.push(t(count ? "registry.miouOn" : "registry.miou", { miou: score(miou), count }));
  if (node.created) first.push(node.created.slice(0, 10));
  if (first.length) rows.push(el("p", { text: first.join(" · ") }));
  const data = [];
  if (node.data) data.push(t("registry.data", { name: node.data }));
  if (node.trained_on) data.push(t("registry.trainedOn", { count: node.trained_on }));
  const line = el("p", { text: data.join(", ") });
  if (node.fingerprint) {
    line.append(data.length ? " · " : "", el("span", {
      class: "sr-fingerprint", text: t("registry.fingerprint", node), title: t("registry.fingerprintTitle"),
    }));
  }
  if (line.textContent) rows.push(line);
  return rows;
}

function more(node) {
  const texts = [];
  if (node.sources?.length) {
    const sources = node.sources.map(({ name, role, train }) =>
      t(["new", "base"].includes(role) ? `registry.source_${role}` : "registry.source", { name, train: train ?? "?" }));
    texts.push(t("registry.learnt", { sources: sources.join(", ") }));
  }
  if (node.added?.length) texts.push(t("registry.added", { names: node.added.join(", ") }));
  for (const key of ["renamed", "dropped"]) {
    const names = (node[key] ?? []).map(([before, after]) => (after ? `${before} → ${after}` : before));
    if (names.length) texts.push(t(`registry.${key}`, { names: names.join(", ") }));
  }
  if (node.names.length > 1) texts.push(t("registry.copies", { names: node.names.slice(1).join(", ") }));
  if (node.exports.length) texts.push(t("registry.exports", { names: node.exports.join(", ") }));
  const { promoted: count } = node;
  if (count) texts.push(count === 1 ? t("registry.promotedOnce") : t("registry.promotedTimes", { count }));
  return texts.map((text) => el("p", { class: "sr-note", text }));
}
