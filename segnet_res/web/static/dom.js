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
