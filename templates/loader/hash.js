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
