// What was dropped on the page: files, and those of folders.

const SUFFIXES = [".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"];

// Endings of pictures, as an input takes them.
export const ACCEPTED = SUFFIXES.join(",");

const compare = new Intl.Collator(undefined, { numeric: true }).compare;

export const byName = (a, b) => compare(a.name, b.name);

// Hidden files and folders are left out, as the server does: ._a.jpg is a leftover, no picture.
export function isPicture(name) {
  const parts = name.split("/");
  return SUFFIXES.some((suffix) => name.toLowerCase().endsWith(suffix))
    && !parts.some((part) => part.startsWith("."));
}

// The files of a drop with those of dropped folders, as {file, name}; such a name begins with the
// folder: "line-3/7.jpg".
export async function dropped(transfer) {
  // All entries at once: after the first wait the browser takes them away.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, name: file.name }));
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found;
}

async function walk(entry, folder, found) {
  const name = folder + entry.name;
  if (entry.isFile) {
    const file = await new Promise((done) => entry.file(done, () => done(null)));
    if (file) found.push({ file, name });
    return;
  }
  const reader = entry.createReader();
  const children = [];
  for (;;) {
    // A browser gives a hundred at a time.
    const some = await new Promise((done) => reader.readEntries(done, () => done([])));
    if (!some.length) break;
    children.push(...some);
  }
  for (const child of children.sort(byName)) await walk(child, `${name}/`, found);
}
