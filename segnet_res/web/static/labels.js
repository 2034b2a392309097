// Masks as arrays of labels, and their reduced forms for zooming out.

// A mask is a lossless PNG with one byte a pixel; the browser hands it out as RGBA.
export async function loadLabels(url) {
  const bitmap = await loadBitmap(url, { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, bitmap.width, bitmap.height).data;
  const data = new Uint8Array(bitmap.width * bitmap.height);
  for (let i = 0; i < data.length; i++) data[i] = rgba[4 * i];
  const result = { width: bitmap.width, height: bitmap.height, data };
  bitmap.close();
  return result;
}

export async function loadBitmap(url, options = {}) {
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) throw new Error("the files of this result have expired; choose the picture again");
  return createImageBitmap(await answer.blob(), options);
}

// Halve a mask again and again. Of four pixels the first that is not `empty` stays, so that a
// defect of one pixel is still seen when a large picture is fitted into a small window.
export function pyramid(labels, empty) {
  const levels = [labels];
  while (Math.max(levels.at(-1).width, levels.at(-1).height) > 512) {
    levels.push(halved(levels.at(-1), empty));
  }
  return levels;
}

function halved(fine, empty) {
  const width = Math.ceil(fine.width / 2);
  const height = Math.ceil(fine.height / 2);
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const top = 2 * y * fine.width;
    const bottom = Math.min(2 * y + 1, fine.height - 1) * fine.width;
    for (let x = 0; x < width; x++) {
      const left = 2 * x;
      const right = Math.min(left + 1, fine.width - 1);
      let label = fine.data[top + left];
      if (label === empty) label = fine.data[top + right];
      if (label === empty) label = fine.data[bottom + left];
      if (label === empty) label = fine.data[bottom + right];
      data[y * width + x] = label;
    }
  }
  return { width, height, data };
}

// In the order of `segnet_res.render.error_map`.
export const ERRORS = {
  agree: 0, found: 1, falseAlarm: 2, missed: 3, wrongClass: 4, unlabelled: 5,
};

export const ERROR_KEY = [
  { code: ERRORS.falseAlarm, name: "false alarm", color: "#d55e00" },
  { code: ERRORS.missed, name: "missed", color: "#0072b2" },
  { code: ERRORS.wrongClass, name: "wrong class", color: "#f0e442" },
  { code: ERRORS.found, name: "correct", color: "#ffffff" },
];

export function errorMap(labels, truth, background, ignore) {
  // One look-up for each pair of labels instead of four comparisons for each pixel.
  const table = new Uint8Array(65536);
  for (let t = 0; t < 256; t++) {
    for (let p = 0; p < 256; p++) table[t * 256 + p] = errorOf(p, t, background, ignore);
  }
  const data = new Uint8Array(labels.data.length);
  for (let i = 0; i < data.length; i++) data[i] = table[truth.data[i] * 256 + labels.data[i]];
  return { width: labels.width, height: labels.height, data };
}

function errorOf(predicted, truth, background, ignore) {
  if (truth === ignore) return ERRORS.unlabelled;
  if (predicted === truth) return truth === background ? ERRORS.agree : ERRORS.found;
  if (truth === background) return ERRORS.falseAlarm;
  return predicted === background ? ERRORS.missed : ERRORS.wrongClass;
}
