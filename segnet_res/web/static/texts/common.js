export default {
  number: "Write a number, like 0.5.",
  numberTo: "Write a number from 0 to {most}, like 0.5.",
  whole: "Write a whole number.",
  wholeTo: "Write a whole number from 0 to {most}, without commas or points.",
  remove: "Remove: {what}",
  noPictures: "{name} holds no pictures; choose PNG, JPEG, TIFF, WebP or BMP.",
};
