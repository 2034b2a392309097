// Fetches masks and prepares them for drawing and for saving, beside the page: a mask of 24 million pixels keeps
// nobody's buttons waiting.

import { ERRORS, averaged, errorMap, pyramid } from "./labels.js";
import { encodeMask } from "./png-write.js";
import { decodeMask } from "./png.js";
import { t } from "./texts.js";

// No label has this value, so every pixel counts as filled.
const NO_LABEL = -1;

const TASKS = {
  // The mask, the reference mask where there is one, and the map of errors between the two.
  async labels({ url, truthUrl, background, ignore }) {
    const [labels, truth] = await Promise.all([fetchMask(url), truthUrl ? fetchMask(truthUrl) : null]);
    const errors = truth && pyramid(errorMap(labels, truth, background, ignore), ERRORS.agree);
    return { levels: pyramid(labels, background ?? NO_LABEL), truth, errors };
  },

  // A map of values from 0 to 255.
  async values({ url }) {
    return { levels: averaged(await fetchMask(url)) };
  },

  // A map of codes, of which 0 means nothing.
  async codes({ url }) {
    return { levels: pyramid(await fetchMask(url), 0) };
  },

  // The levels of a mask that is in the page already.
  async plane({ plane, empty }) {
    return { levels: pyramid(plane, empty ?? NO_LABEL) };
  },

  // A mask as the bytes of a PNG.
  async file({ plane }) {
    return { file: await encodeMask(plane) };
  },
};

async function fetchMask(url) {
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(t("viewer.expired"));
  return decodeMask(await answer.arrayBuffer());
}

self.onmessage = async ({ data: { id, task, wanted } }) => {
  try {
    const result = await TASKS[task](wanted);
    const { levels, errors, truth, file } = result;
    const planes = [...(levels ?? []), ...(errors ?? []), ...(truth ? [truth] : [])];
    const buffers = [...planes.map((plane) => plane.data.buffer), ...(file ? [file.buffer] : [])];
    // Moved, not copied. Levels share no buffer with each other.
    self.postMessage({ id, result }, buffers);
  } catch (error) {
    self.postMessage({ id, error: error.message });
  }
};
