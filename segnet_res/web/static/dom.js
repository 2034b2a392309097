// Small helpers for building the page. Texts become text nodes, never markup: names of classes
// and files come from outside.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "text") node.textContent = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Colours reach CSS through here only, so that no text of a checkpoint becomes a style.
export function swatch(color) {
  const node = el("span", { class: "sr-swatch", "aria-hidden": "true" });
  node.style.backgroundColor = /^#[0-9a-f]{6}$/i.test(color) ? color : "#000000";
  return node;
}

export function fileUrl(path) {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return new URL(`gradio_api/file=${encoded}`, document.baseURI).href;
}

export function percent(share, digits = 2) {
  if (share === null || share === undefined) return "n/a";
  // 0.00 % is kept for nothing at all: a single pixel must not look like none.
  const least = 10 ** -digits;
  if (share > 0 && share * 100 < least) return `< ${least.toFixed(digits)} %`;
  return `${(share * 100).toFixed(digits)} %`;
}

export function score(value, digits = 3) {
  return value === null || value === undefined ? "n/a" : value.toFixed(digits);
}

// A browser may refuse storage; what should be remembered then lasts as long as the page.
export function remember(storage, key, value) {
  try {
    window[storage].setItem(key, value);
  } catch {
    // Nothing to do.
  }
}

export function recall(storage, key) {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

export function forgetAll(storage) {
  try {
    window[storage].clear();
  } catch {
    // Nothing was remembered either.
  }
}

// crypto.randomUUID is there on secure origins only, and the page may be reached by plain HTTP.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function icon(name) {
  const paths = {
    bang: "M12 5v9M12 18v.5",
    tick: "M5 12.5l4.5 4.5L19 7.5",
    cross: "M6 6l12 12M18 6L6 18",
    upload: "M12 16V4M7 9l5-5 5 5M4 20h16",
    mask: "M4 4h16v16H4zM4 14l5-4 4 3 7-6",
    download: "M12 4v12M7 11l5 5 5-5M4 20h16",
    dash: "M6 12h12",
    expand: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
    undo: "M8 5L4 9l4 4M4 9h10a5.5 5.5 0 0 1 0 11h-4",
    redo: "M16 5l4 4-4 4M20 9H10a5.5 5.5 0 0 0 0 11h4",
    brush: "M20 4L10.5 13.5M9 13c-2.5 0-3.5 1.5-3.5 3.5 0 1.5-.8 2.5-2 3 4 1 8.5 0 8.5-3.5 0-1.800-1.200-3-3-3z",
    eraser: "M13.5 5l6 6-8.5 8.5H7.5L4 16zM9 9.5l6 6M11 19.5h9",
    polygon: "M5 9l8-5 7 8-5 8-9-2z",
    fill: "M11 4L4 11l7 7 7-7-8.5-8.5M20 15c1.200 1.800 1.800 2.800 1.800 3.600a1.800 1.800 0 0 1-3.600 0c0-.8.6-1.800 1.800-3.600z",
    accept: "M4 12a8 8 0 1 0 16 0 8 8 0 1 0-16 0zM8 12.5l3 3 5.5-6",
    delete: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5.5M13.5 11v5.5",
    hand: "M12 3v18M3 12h18M9.5 5.5L12 3l2.5 2.5M9.5 18.5L12 21l2.5-2.5M5.5 9.5L3 12l2.5 2.5M18.5 9.5L21 12l-2.5 2.5",
    next: "M5 12h13M12.5 6.5L18 12l-5.5 5.5",
    swap: "M4 8h15M15 4l4 4-4 4M20 16H5M9 12l-4 4 4 4",
  };
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "sr-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", paths[name]);
  svg.append(path);
  return svg;
}
