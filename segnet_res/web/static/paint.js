// Colours the part of a mask that the window shows, one screen pixel after the other: the cost
// depends on the window, not on the picture.

// [r, g, b] of "#rrggbb" as the 32-bit value that an ImageData holds on a little-endian machine.
export function rgba(color, alpha = 255) {
  const value = parseInt(color.slice(1), 16);
  const [r, g, b] = [value >> 16, (value >> 8) & 255, value & 255];
  return ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

// Width of the stripes of a hatched label, in window pixels.
const STRIPE = 6;
const DARK = rgba("#14161b");

// Fill `image` (ImageData of the window) from the levels of a mask.
//   view: {scale, x, y}: window pixels per mask pixel, and where the mask's corner lies
//   table: Uint32Array(256), colour of each label, 0 = nothing
//   options:
//     border   0 fills regions, n draws their inner border n window pixels wide
//     hatched  label that is drawn in stripes of its colour and a dark one
//     part     {left, top, right, bottom}: only these window pixels
export function paintMask(image, levels, view, table, { border = 0, hatched = -1, part = null } = {}) {
  const { width, height } = image;
  const { left, top, right, bottom } = part ?? { left: 0, top: 0, right: width, bottom: height };
  const out = new Uint32Array(image.data.buffer);
  const level = Math.max(0, Math.min(levels.length - 1, Math.floor(Math.log2(1 / view.scale))));
  const mask = levels[level];
  const scale = view.scale * 2 ** level;
  const columns = places(width, view.x, scale, mask.width);
  const rows = places(height, view.y, scale, mask.height);
  const at = (x, y) => {
    if (x < 0 || y < 0 || x >= width || y >= height || rows[y] < 0 || columns[x] < 0) return -1;
    return mask.data[rows[y] * mask.width + columns[x]];
  };
  // Stripes that move with the picture.
  const shift = -Math.round(view.x + view.y);
  for (let y = top; y < bottom; y++) {
    out.fill(0, y * width + left, y * width + right);
    if (rows[y] < 0) continue;
    const start = rows[y] * mask.width;
    for (let x = left; x < right; x++) {
      if (columns[x] < 0) continue;
      const label = mask.data[start + columns[x]];
      const color = table[label];
      if (color === 0) continue;
      if (border !== 0 && !isBorder(at, x, y, label, border)) continue;
      const dark = label === hatched && Math.floor((x + y + shift) / STRIPE) % 2;
      out[y * width + x] = dark ? DARK : color;
    }
  }
}

function isBorder(at, x, y, label, reach) {
  return (
    differs(at(x - reach, y), label) || differs(at(x + reach, y), label) ||
    differs(at(x, y - reach), label) || differs(at(x, y + reach), label)
  );
}

// The edge of the window or of the picture is no border of a region.
function differs(neighbour, label) {
  return neighbour !== -1 && neighbour !== label;
}

// For each window pixel the mask pixel under its centre, -1 outside.
function places(length, offset, scale, limit) {
  const result = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const place = Math.floor((i + 0.5 - offset) / scale);
    result[i] = place >= 0 && place < limit ? place : -1;
  }
  return result;
}
