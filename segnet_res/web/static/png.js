// Reads the masks that the server writes: 8-bit grey PNG, or with a palette, of which the indices
// are taken: one byte a pixel. Not through a canvas:
// browsers that guard against fingerprinting change pixels that a script reads back from one, and a
// label must arrive as it was sent. It also saves the four bytes a pixel of a canvas.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const ONE_BYTE_COLORS = [0, 3]; // grey, palette

// {width, height, data: Uint8Array} of the bytes (ArrayBuffer) of such a file.
export async function decodeMask(buffer) {
  const { width, height, packed } = chunks(buffer);
  const stream = new Blob(packed).stream().pipeThrough(new DecompressionStream("deflate"));
  const rows = new Uint8Array(await new Response(stream).arrayBuffer());
  if (rows.length !== (width + 1) * height) throw new Error("the PNG of a mask is cut off");
  unfilter(rows, width, height);
  return { width, height, data: rows.subarray(0, width * height) };
}

function chunks(buffer) {
  const view = new DataView(buffer);
  const bytes = new Uint8Array(buffer);
  if (bytes.length < 33 || SIGNATURE.some((byte, i) => bytes[i] !== byte)) {
    throw new Error("a mask is no PNG");
  }
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [depth, color, , , interlaced] = bytes.subarray(24, 29);
  if (depth !== 8 || !ONE_BYTE_COLORS.includes(color) || interlaced) {
    throw new Error("a mask is no PNG of one byte a pixel");
  }
  const packed = [];
  for (let place = 8; place + 12 <= bytes.length;) {
    const length = view.getUint32(place);
    const name = String.fromCharCode(...bytes.subarray(place + 4, place + 8));
    if (name === "IDAT") packed.push(bytes.subarray(place + 8, place + 8 + length));
    place += length + 12;
  }
  return { width, height, packed };
}

// Undo the filter of each row, in place: row y moves forward by the y + 1 bytes that named filters.
function unfilter(bytes, width, height) {
  for (let y = 0; y < height; y++) {
    const from = y * (width + 1) + 1;
    const to = y * width;
    const filter = bytes[from - 1];
    if (filter === 0) bytes.copyWithin(to, from, from + width);
    else if (filter === 1) undoSub(bytes, from, to, width);
    else if (filter === 2) undoUp(bytes, from, to, width, y > 0);
    else undoMixed(bytes, from, to, width, y > 0, filter === 3 ? average : paeth);
  }
}

function undoSub(bytes, from, to, width) {
  let left = 0;
  for (let x = 0; x < width; x++) left = bytes[to + x] = (bytes[from + x] + left) & 255;
}

function undoUp(bytes, from, to, width, above) {
  if (!above) return bytes.copyWithin(to, from, from + width);
  for (let x = 0; x < width; x++) bytes[to + x] = bytes[from + x] + bytes[to + x - width];
}

function undoMixed(bytes, from, to, width, above, predict) {
  let left = 0;
  let corner = 0;
  for (let x = 0; x < width; x++) {
    const up = above ? bytes[to + x - width] : 0;
    left = bytes[to + x] = (bytes[from + x] + predict(left, up, corner)) & 255;
    corner = up;
  }
}

function average(left, up) {
  return (left + up) >> 1;
}

function paeth(left, up, corner) {
  const estimate = left + up - corner;
  const [a, b, c] = [Math.abs(estimate - left), Math.abs(estimate - up), Math.abs(estimate - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}
