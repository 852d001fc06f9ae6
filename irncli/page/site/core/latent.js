/**
 * The latent z of a whole image, from a counter-based random number generator: as
 * irncli/engine/latent.py. Each value depends only on seed, channel, row and column.
 *
 * One word of Philox4x64-10 gives one value. Its numbers of 64 bits are pairs of 32 bits here, low
 * part first.
 *
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
 */

export const MAX_SEED = 2n ** 64n - 1n;

const ROUNDS = 10;
const WORD = 2 ** 32;
const FIRST_LOW = 0xe14c6c93;
const FIRST_TOP = 0xd2e7470e;
const SECOND_LOW = 0x95121157;
const SECOND_TOP = 0xca5a8263;
const KEY_STEPS = [
  [0x7f4a7c15, 0x9e3779b9],
  [0x84caa73b, 0xbb67ae85],
];

/**
 * Return the key of a seed.
 * @param {bigint | string | number} seed 0 to 2^64 - 1
 */
function keyOf(seed) {
  const number = /^\d+$/.test(String(seed).trim()) ? BigInt(seed) : -1n;
  if (number < 0n || number > MAX_SEED) {
    throw new RangeError(`seed ${seed}: expected a whole number, 0 to ${MAX_SEED}`);
  }
  return [Number(number & 0xffffffffn), Number(number >> 32n)];
}

/** Return the keys of all rounds: for each, the two halves of both words. */
function keysOf(seed) {
  const keys = new Int32Array(4 * ROUNDS);
  const words = [keyOf(seed), [0, 0]];
  for (let round = 0; round < ROUNDS; round++) {
    keys.set(words.flat(), 4 * round);
    words.forEach((word, i) => {
      const low = word[0] + KEY_STEPS[i][0];
      words[i] = [low >>> 0, (word[1] + KEY_STEPS[i][1] + (low >= WORD ? 1 : 0)) >>> 0];
    });
  }
  return keys;
}

/**
 * Return the high half of the product of two numbers of 32 bits. Here and below, numbers are kept
 * as signed integers, with which engines compute fastest.
 */
function high(a, b) {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const first = (Math.imul(ah, bl) + (Math.imul(al, bl) >>> 16)) | 0;
  const second = (Math.imul(al, bh) + (first & 0xffff)) | 0;
  return (Math.imul(ah, bh) + (first >>> 16) + (second >>> 16)) | 0;
}

/** Return the carry of an addition, given its sum and one of the numbers that were added. */
function carry(sum, added) {
  return sum >>> 0 < added >>> 0 ? 1 : 0;
}

/** Write the product of two numbers of 64 bits to four places of `out`, lowest part first. */
function multiply(low, top, otherLow, otherTop, out, at) {
  const first = Math.imul(low, otherTop);
  const partial = (high(low, otherLow) + first) | 0;
  const crossed = Math.imul(top, otherLow);
  const second = (partial + crossed) | 0;
  const upper = (high(low, otherTop) + carry(partial, first) + carry(second, crossed)) | 0;
  // This does not overflow: where the high half is largest, 2^32 - 2, `first` is 1, and nothing is
  // carried from `partial`.
  const middle = high(top, otherLow);
  const both = (upper + middle) | 0;
  const last = Math.imul(top, otherTop);
  const third = (both + last) | 0;
  out[at] = Math.imul(low, otherLow);
  out[at + 1] = second;
  out[at + 2] = third;
  out[at + 3] = high(top, otherTop) + carry(both, middle) + carry(third, last);
}

/** Turn a counter, eight numbers of 32 bits, into four random words. */
function scramble(state, product, keys) {
  for (let round = 0; round < ROUNDS; round++) {
    multiply(state[0], state[1], FIRST_LOW, FIRST_TOP, product, 0);
    multiply(state[4], state[5], SECOND_LOW, SECOND_TOP, product, 4);
    state[0] = product[6] ^ state[2] ^ keys[4 * round];
    state[1] = product[7] ^ state[3] ^ keys[4 * round + 1];
    state[4] = product[2] ^ state[6] ^ keys[4 * round + 2];
    state[5] = product[3] ^ state[7] ^ keys[4 * round + 3];
    state[2] = product[4];
    state[3] = product[5];
    state[6] = product[0];
    state[7] = product[1];
  }
}

/** Return a normal value from the two halves of a word (Box-Muller). */
function normal(low, top) {
  const u = ((top >>> 0) + 1) / WORD;
  const v = (low >>> 0) / WORD;
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
}

/**
 * Return a part of a standard normal z: [channels, height, width].
 * @param {bigint | string} seed 0 to 2^64 - 1
 * @param {{top: number, left: number, height: number, width: number}} part
 * @param {number} channels
 * @returns {Float32Array}
 */
export function drawWindow(seed, { top, left, height, width }, channels) {
  const keys = keysOf(seed);
  const state = new Int32Array(8);
  const product = new Int32Array(8);
  const z = new Float32Array(channels * height * width);
  const first = left >> 2;
  const last = (left + width - 1) >> 2;
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < height; row++) {
      const start = (channel * height + row) * width - left;
      for (let block = first; block <= last; block++) {
        state.set([block, 0, top + row, 0, channel, 0, 0, 0]);
        scramble(state, product, keys);
        for (let word = 0; word < 4; word++) {
          const column = 4 * block + word;
          if (column < left || column >= left + width) continue;
          z[start + column] = normal(state[2 * word], state[2 * word + 1]);
        }
      }
    }
  }
  return z;
}

/**
 * Return one row of a standard normal z: [channels, width].
 * @param {bigint | string} seed 0 to 2^64 - 1
 * @param {number} row
 * @param {number} channels
 * @param {number} width
 */
export function drawRow(seed, row, channels, width) {
  return drawWindow(seed, { top: row, left: 0, height: 1, width }, channels);
}
