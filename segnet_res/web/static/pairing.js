// Which of several dropped files are pictures, and which are reference masks of them.

// As in `segnet_res.web.reference`.
const MASK_ENDINGS = /([-_. ](mask|masks|gt|truth|ground[-_ ]?truth|label|labels|labelids|seg|annotation))+$/;

const LOSSY = /\.jpe?g$/i;

function stem(name) {
  return name.toLowerCase().replace(/\.[^.]*$/, "");
}

export function partName(name) {
  const plain = stem(name);
  return plain.replace(MASK_ENDINGS, "") || plain;
}

function endsLikeMask(name) {
  const plain = stem(name);
  return plain.replace(MASK_ENDINGS, "") !== plain && plain.replace(MASK_ENDINGS, "") !== "";
}

// Sort files into pictures and masks. A file is a mask when another file, or a picture that is
// `known` by its name, has the same name without an ending such as "_mask"; or when two files
// differ in their suffix alone, "a.jpg" and "a.png": photographs are JPEG, masks are not.
//   -> {pictures: [{file, mask: file or null}], masks: [{file, picture: name}]}
export function sortFiles(files, known = []) {
  const plain = files.filter((file) => !endsLikeMask(file.name));
  const pictures = new Map(plain.map((file) => [file, null]));
  const masks = [];
  const owner = (file) => [...pictures.keys()].find((other) => partName(other.name) === partName(file.name));
  for (const file of files.filter((other) => endsLikeMask(other.name))) {
    const picture = owner(file);
    const name = known.find((other) => partName(other) === partName(file.name));
    if (picture && pictures.get(picture) === null) pictures.set(picture, file);
    else if (!picture && name !== undefined) masks.push({ file, picture: name });
    else pictures.set(file, null);
  }
  for (const file of plain.filter((other) => !LOSSY.test(other.name))) {
    const photograph = plain.find((other) => LOSSY.test(other.name) && stem(other.name) === stem(file.name));
    if (!photograph || pictures.get(photograph) !== null || pictures.get(file) !== null) continue;
    pictures.delete(file);
    pictures.set(photograph, file);
  }
  return { pictures: [...pictures].map(([file, mask]) => ({ file, mask })), masks };
}
