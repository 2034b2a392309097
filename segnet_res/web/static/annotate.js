// The Annotate tab: a mask corrected by hand, and saved into a dataset.

export function start({ element }) {
  element.classList.add("sr-annotate");
}
