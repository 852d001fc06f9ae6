/** Access to bytes: numbers, text, base64 and deflated data. */

/** Return the big-endian 16-bit number at a place. */
export function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}

/** Return the big-endian 32-bit number at a place. */
export function uint32(bytes, at) {
  return ((uint16(bytes, at) << 16) | uint16(bytes, at + 2)) >>> 0;
}

/** Return bytes as text with one character for each byte. */
export function latin1(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Return text of characters below 256 as bytes. */
export function bytesOf(text) {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Return a number as four bytes, big-endian. */
export function bigEndian(number) {
  return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
}

/** Tell whether the bytes at a place are those of a text. */
export function hasText(bytes, text, at = 0) {
  for (let i = 0; i < text.length; i++) {
    if (bytes[at + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}

/** Tell whether the bytes contain those of a text anywhere. */
export function containsText(bytes, text) {
  const first = text.charCodeAt(0);
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (hasText(bytes, text, at)) return true;
  }
  return false;
}

/** Return arrays of bytes joined into one. */
export function concat(parts) {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Return the bytes of a base64 text; null if it is not valid.
 * @returns {Uint8Array | null}
 */
export function fromBase64(text) {
  return BASE64.test(text) ? bytesOf(atob(text)) : null;
}

/** Return bytes in the zlib format. */
export async function deflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const PIECE = 1 << 13;

/** Return a stream of small pieces: browsers decompress a whole piece, at most a thousandfold. */
function inPieces(bytes) {
  let at = 0;
  const pull = (controller) => {
    if (at < bytes.length) controller.enqueue(bytes.slice(at, at + PIECE));
    else controller.close();
    at += PIECE;
  };
  return new ReadableStream({ pull }, { highWaterMark: 0 });
}

/**
 * Decompress zlib data. Memory is limited, whatever the data contain.
 * @param {Uint8Array} bytes
 * @param {number} limit most bytes to return; the data may contain more
 * @returns {Promise<{bytes: Uint8Array, complete: boolean}>} what was decompressed; `complete`
 *   tells whether the data are undamaged and are the whole input, and no more than the limit
 */
export async function inflate(bytes, limit) {
  const reader = inPieces(bytes).pipeThrough(new DecompressionStream("deflate")).getReader();
  const parts = [];
  let size = 0;
  let complete = false;
  try {
    while (size <= limit && !complete) {
      const { done, value } = await reader.read();
      complete = done;
      if (!done) parts.push(value);
      size += done ? 0 : value.length;
    }
    if (!complete) await reader.cancel();
  } catch {
    // The stream fails at damaged data; what came before is returned.
  }
  return { bytes: concat(parts).subarray(0, limit), complete };
}
