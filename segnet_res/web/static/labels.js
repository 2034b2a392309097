// Masks as arrays of labels, their reduced forms for zooming out, and the map of errors. No page is
// needed here: a worker runs it.

// Levels below this size cost less to draw from than to make.
const SMALLEST = 512;

// Halve a mask again and again. Of four pixels the first that is not `empty` stays, so that a
// defect of one pixel is still seen when a large picture is fitted into a small window.
export function pyramid(labels, empty) {
  return levelsOf(labels, keeping(empty));
}

// Bring the coarser levels of a mask up to date after changes of the finest within a box of pixels.
export function refresh(levels, empty, { x, y, width, height }) {
  let [left, top, right, bottom] = [x, y, x + width, y + height];
  for (let i = 1; i < levels.length; i++) {
    [left, top] = [left >> 1, top >> 1];
    [right, bottom] = [(right + 1) >> 1, (bottom + 1) >> 1];
    halve(levels[i - 1], levels[i], keeping(empty), left, top, right, bottom);
  }
}

// Halve a map of values; the mean of four stays.
export function averaged(values) {
  return levelsOf(values, (a, b, c, d) => (a + b + c + d + 2) >> 2);
}

function keeping(empty) {
  return (a, b, c, d) => {
    if (a !== empty) return a;
    if (b !== empty) return b;
    return c !== empty ? c : d;
  };
}

function levelsOf(finest, merge) {
  const levels = [finest];
  while (Math.max(levels.at(-1).width, levels.at(-1).height) > SMALLEST) {
    levels.push(halved(levels.at(-1), merge));
  }
  return levels;
}

function halved(fine, merge) {
  const width = Math.ceil(fine.width / 2);
  const height = Math.ceil(fine.height / 2);
  const coarse = { width, height, data: new Uint8Array(width * height) };
  halve(fine, coarse, merge, 0, 0, width, height);
  return coarse;
}

// Fill the coarse level from `left`, `top` up to but not including `right`, `bottom`.
function halve(fine, coarse, merge, left, top, right, bottom) {
  for (let y = top; y < bottom; y++) {
    const upper = 2 * y * fine.width;
    const lower = Math.min(2 * y + 1, fine.height - 1) * fine.width;
    for (let x = left; x < right; x++) {
      const near = 2 * x;
      const far = Math.min(near + 1, fine.width - 1);
      coarse.data[y * coarse.width + x] = merge(fine.data[upper + near], fine.data[upper + far],
        fine.data[lower + near], fine.data[lower + far]);
    }
  }
}

// In the order of `segnet_res.render.error_map`.
export const ERRORS = {
  agree: 0, found: 1, falseAlarm: 2, missed: 3, wrongClass: 4, unlabelled: 5,
};

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
