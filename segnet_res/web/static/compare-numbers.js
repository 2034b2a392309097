// Numbers of comparisons: sums over pictures, and the files that hold them.

// Add comparisons of the same two checkpoints up. IoU comes from the summed confusion matrices, as
// over a whole set; only pictures with a reference count for it.
//   -> {pictures, scored, pixels, differing, codes, classes, scores}
export function summed(replies) {
  const [{ classes }] = replies;
  const scored = replies.filter((reply) => reply.scores);
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const pixels = sum(replies.map(({ image }) => image.width * image.height));
  const codes = replies[0].codes.map(({ color }, code) => ({
    color, pixels: sum(replies.map((reply) => reply.codes[code].pixels)),
  }));
  const side = (i, which) => {
    if (classes[i].sides[which] === null) return null;
    const count = (key) => sum(replies.map((reply) => reply.classes[i].sides[which][key]));
    const found = count("pixels");
    return { pixels: found, share: found / pixels, regions: count("regions") };
  };
  const scores = scored.length === 0 ? null : [0, 1].map((which) =>
    scoresOf(addedUp(scored.map((reply) => reply.scores[which].confusion))));
  return {
    pictures: replies.length,
    scored: scored.length,
    pixels,
    differing: pixels - codes[0].pixels,
    codes,
    classes: classes.map(({ index, name, color }, i) => ({
      index, name, color, sides: [side(i, 0), side(i, 1)],
      both: sum(replies.map((reply) => reply.classes[i].both)),
    })),
    scores,
  };
}

function addedUp(matrices) {
  return matrices[0].map((row, i) => row.map((_, j) =>
    matrices.reduce((total, matrix) => total + matrix[i][j], 0)));
}

// As `ConfusionMatrix.scores`: a class in neither truth nor prediction has no IoU.
function scoresOf(confusion) {
  const ious = confusion.map((row, i) => {
    const hits = row[i];
    const actual = row.reduce((total, count) => total + count, 0);
    const found = confusion.reduce((total, other) => total + other[i], 0);
    const union = actual + found - hits;
    return union > 0 ? hits / union : null;
  });
  const present = ious.filter((iou) => iou !== null);
  const miou = present.length ? present.reduce((total, iou) => total + iou, 0) / present.length : null;
  return { miou, ious };
}

// The numbers as a file that a spreadsheet opens.
export function csvOf(total, [first, second]) {
  const head = ["class", "pixels_a", "pixels_b", "change", "share_a", "share_b", "regions_a",
    "regions_b", "agreed_pixels", "iou_a", "iou_b"];
  const rows = total.classes.map((row, i) => {
    const [a, b] = row.sides;
    const change = (b?.pixels ?? 0) - (a?.pixels ?? 0);
    const ious = [0, 1].map((which) => total.scores?.[which].ious[i] ?? "");
    return [row.name, a?.pixels ?? "", b?.pixels ?? "", change, a?.share ?? "", b?.share ?? "",
      a?.regions ?? "", b?.regions ?? "", row.both, ...ious];
  });
  const names = [["checkpoint_a", first], ["checkpoint_b", second], ["pictures", total.pictures]];
  return [...names, head, ...rows].map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
}

function quoted(value) {
  const text = String(value);
  // A spreadsheet would take a name that starts like this for a formula.
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function jsonOf(total, [first, second]) {
  return JSON.stringify({ checkpoints: { a: first, b: second }, ...total }, null, 2);
}
