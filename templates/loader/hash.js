import { lazy } from "./lazy.js";

/** @import { FileSpec } from "./files.js" */

/**
 * SHA-256 in 64 hexadecimal digits; by a module of our own where the page's address is not secure and `crypto.subtle` missing.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
async function sha256(bytes) {
  const subtle = globalThis.crypto?.subtle;
  const digest = subtle ? new Uint8Array(await subtle.digest("SHA-256", bytes)) : (await lazy("digest")).digest(bytes);
  return Array.from(digest, (/** @type {number} */ byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Tells whether a file is what its hash says.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {FileSpec} spec
 */
export const isRight = async (bytes, spec) => bytes.length === spec.bytes && (await sha256(bytes)) === spec.sha256;
