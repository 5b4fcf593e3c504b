// What comes over the preview's line: a header of 24 bytes, then the payload. All numbers are little-endian.

export const HEADER_BYTES = 24;
export const VIDEO = 1;
export const AUDIO = 2;
export const FRAGMENT = 3;
const KEY = 1;
const INIT = 2;

/** A binary message in its parts; null for what is too short to be one. Times of the picture are microseconds. */
export function unpack(buffer) {
  if (buffer.byteLength < HEADER_BYTES) return null;
  const view = new DataView(buffer);
  const flags = view.getUint8(1);
  return {
    kind: view.getUint8(0),
    key: (flags & KEY) !== 0,
    init: (flags & INIT) !== 0,
    duration: view.getUint32(4, true),
    pts: Number(view.getBigUint64(8, true)),
    at: Number(view.getBigUint64(16, true)),
    payload: new Uint8Array(buffer, HEADER_BYTES),
  };
}

/** Bytes of a base64 text. */
export function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
