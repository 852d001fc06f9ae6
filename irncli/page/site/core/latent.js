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
const FIRST = [0xe14c6c93, 0xd2e7470e];
const SECOND = [0x95121157, 0xca5a8263];
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
  const keys = new Uint32Array(4 * ROUNDS);
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

/** Return the high half of the product of two numbers of 32 bits. */
function high(a, b) {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const low = Math.imul(al, bl) >>> 0;
  const first = (Math.imul(ah, bl) >>> 0) + (low >>> 16);
  const second = (Math.imul(al, bh) >>> 0) + (first & 0xffff);
  // Neither sum exceeds 32 bits.
  return ((Math.imul(ah, bh) >>> 0) + (first >>> 16) + (second >>> 16)) >>> 0;
}

/** Write the product of two numbers of 64 bits to four places of `out`, lowest part first. */
function multiply(low, top, [otherLow, otherTop], out, at) {
  out[at] = Math.imul(low, otherLow);
  const second =
    high(low, otherLow) + (Math.imul(low, otherTop) >>> 0) + (Math.imul(top, otherLow) >>> 0);
  out[at + 1] = second;
  const third =
    high(low, otherTop) +
    high(top, otherLow) +
    (Math.imul(top, otherTop) >>> 0) +
    Math.floor(second / WORD);
  out[at + 2] = third;
  out[at + 3] = high(top, otherTop) + Math.floor(third / WORD);
}

/** Turn a counter, eight numbers of 32 bits, into four random words. */
function scramble(state, product, keys) {
  for (let round = 0; round < ROUNDS; round++) {
    multiply(state[0], state[1], FIRST, product, 0);
    multiply(state[4], state[5], SECOND, product, 4);
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
  const u = (top + 1) / WORD;
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * (low / WORD));
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
  const state = new Uint32Array(8);
  const product = new Uint32Array(8);
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
