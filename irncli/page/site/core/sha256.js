/**
 * SHA-256, for pages on plain http, where browsers do not offer crypto.subtle.
 *
 * Source: FIPS 180-4.
 */

/** Return the first 32 bits of the fractional parts of roots of primes. */
function fractions(count, root) {
  const found = [];
  for (let candidate = 2; found.length < count; candidate++) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) {
      if (candidate % divisor === 0) prime = false;
    }
    if (prime) found.push((root(candidate) % 1) * 2 ** 32);
  }
  // Signed integers are what engines compute fastest with.
  return new Int32Array(Uint32Array.from(found));
}

const CONSTANTS = fractions(64, Math.cbrt);
const START = fractions(8, Math.sqrt);
const BLOCK = 64;

function rotated(word, count) {
  return (word >>> count) | (word << (32 - count));
}

function expand(words) {
  for (let i = 16; i < 64; i++) {
    const a = words[i - 15];
    const b = words[i - 2];
    const first = rotated(a, 7) ^ rotated(a, 18) ^ (a >>> 3);
    const second = rotated(b, 17) ^ rotated(b, 19) ^ (b >>> 10);
    words[i] = words[i - 16] + first + words[i - 7] + second;
  }
}

function compress(state, words) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const high = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
    const first = (h + high + ((e & f) ^ (~e & g)) + CONSTANTS[i] + words[i]) | 0;
    const low = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
    const second = (low + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] += word;
}

/** Return the end of a message: what does not fill a block, a one, zeros, and the length. */
function padded(rest, length) {
  const end = new Uint8Array(rest.length + 9 > BLOCK ? 2 * BLOCK : BLOCK);
  end.set(rest);
  end[rest.length] = 0x80;
  const view = new DataView(end.buffer);
  view.setUint32(end.length - 8, Math.floor(length / 2 ** 29));
  view.setUint32(end.length - 4, length * 8);
  return end;
}

/**
 * Return the hash of bytes in hexadecimal digits.
 * @param {Uint8Array[]} parts parts of the message, one after the other
 */
export function sha256(parts) {
  const state = START.slice();
  const words = new Int32Array(64);
  const add = (bytes, at) => {
    for (let i = 0; i < 16; i++, at += 4) {
      words[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    expand(words);
    compress(state, words);
  };
  const rest = new Uint8Array(BLOCK);
  let waiting = 0;
  let length = 0;
  for (const part of parts) {
    let at = 0;
    if (waiting > 0) {
      at = Math.min(BLOCK - waiting, part.length);
      rest.set(part.subarray(0, at), waiting);
      waiting += at;
      if (waiting === BLOCK) add(rest, 0);
      waiting %= BLOCK;
    }
    for (; at + BLOCK <= part.length; at += BLOCK) add(part, at);
    rest.set(part.subarray(at), waiting);
    waiting += part.length - at;
    length += part.length;
  }
  const end = padded(rest.subarray(0, waiting), length);
  for (let at = 0; at < end.length; at += BLOCK) add(end, at);
  return Array.from(new Uint32Array(state), (word) => word.toString(16).padStart(8, "0")).join("");
}
