// Sends the files of a picture to the server, when it is first compared.

import { t } from "./texts.js";

// The server's own limit; asked here too, because an upload of half a gigabyte takes its time.
const MAX_MB = 512;

// What is wrong with one file alone.
export class FileError extends Error {}

// Give an entry its source, and its reference where it came with a mask. `upload` is that of the
// component.
export async function uploadFiles(entry, upload) {
  entry.source ??= await sent(entry.file, upload);
  if (entry.mask && !entry.reference) entry.reference = await sent(entry.mask, upload);
}

// Have the files sent once more, because the server has swept them away.
export function forgetUploads(entry) {
  entry.source = null;
  if (entry.mask) entry.reference = null;
  entry.sentAgain = true;
}

async function sent(file, upload) {
  const { name } = file;
  const size = Math.round(file.size / 2 ** 20);
  if (size > MAX_MB) throw new FileError(t("compare.tooLarge", { name, size, limit: MAX_MB }));
  try {
    return { kind: "upload", path: (await upload(file)).path, name };
  } catch (error) {
    throw new Error(t("compare.notUploaded", { name, reason: error?.message ?? error }));
  }
}
