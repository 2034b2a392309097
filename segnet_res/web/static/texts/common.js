export default {
  remove: "Remove: {what}",
  noPictures: "{name} holds no pictures; choose PNG, JPEG, TIFF, WebP or BMP.",
};
