/**
 * MATLAB-style bicubic resizing: as irncli/model/bicubic.py, to the last bit of float32.
 *
 * Resizing is antialiased when shrinking, uses the kernel with a = -0.5, and mirrors the borders
 * with the edge pixel repeated.
 */

import { channelOf, emptySamples, stored, white } from "./images.js";

const { fround } = Math;

/** Evaluate the kernel of Keys with a = -0.5. */
function cubic(x) {
  const d = Math.abs(x);
  if (d <= 1) return 1.5 * d ** 3 - 2.5 * d ** 2 + 1;
  return d < 2 ? -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2 : 0;
}

/**
 * A part of an axis that is resized: for each output pixel, the inputs that it reads.
 * @typedef {object} Window
 * @property {number} count number of inputs of each output
 * @property {Int32Array} index inputs, counted from `start`
 * @property {Float32Array} weights
 * @property {number} start first input that the part depends on
 * @property {number} stop end of these inputs, exclusive
 * @property {number} length number of outputs
 */

/**
 * Return a window of an axis.
 * @param {number} size number of pixels before resizing
 * @param {number} target number of pixels after resizing
 * @param {number} from first output pixel of the window
 * @param {number} to end of the window, exclusive
 * @returns {Window}
 */
export function windowOf(size, target, from = 0, to = target) {
  const ratio = target / size;
  const shrinking = Math.min(ratio, 1);
  const reach = 4 / shrinking;
  const count = Math.floor(reach) + 2;
  const index = new Int32Array((to - from) * count);
  const weights = new Float32Array(index.length);
  for (let output = from; output < to; output++) {
    const centre = (output + 0.5) / ratio - 0.5;
    const first = Math.floor(centre - reach / 2);
    const raw = Array.from({ length: count }, (_, tap) =>
      cubic((centre - first - tap) * shrinking),
    );
    const sum = raw.reduce((total, weight) => total + weight, 0);
    for (let tap = 0; tap < count; tap++) {
      const at = (output - from) * count + tap;
      index[at] = mirrored(first + tap, size);
      weights[at] = raw[tap] / sum;
    }
  }
  const start = index.reduce((least, each) => Math.min(least, each), size);
  const stop = index.reduce((most, each) => Math.max(most, each + 1), 0);
  return {
    count,
    index: index.map((each) => each - start),
    weights,
    start,
    stop,
    length: to - from,
  };
}

function mirrored(place, size) {
  const period = ((place % (2 * size)) + 2 * size) % (2 * size);
  return period < size ? period : 2 * size - 1 - period;
}

/** Resize the rows of a plane of the given width. */
function resizeRows(plane, width, { count, index, weights, length }) {
  const out = new Float32Array(length * width);
  for (let y = 0; y < length; y++) {
    for (let tap = 0; tap < count; tap++) {
      const weight = weights[y * count + tap];
      if (weight === 0) continue;
      const row = index[y * count + tap] * width;
      for (let x = 0; x < width; x++) {
        out[y * width + x] = fround(out[y * width + x] + fround(plane[row + x] * weight));
      }
    }
  }
  return out;
}

/** Resize the columns of a plane of the given width. */
function resizeColumns(plane, width, { count, index, weights, length }) {
  const height = plane.length / width;
  const out = new Float32Array(height * length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < length; x++) {
      let sum = 0;
      for (let tap = x * count; tap < (x + 1) * count; tap++) {
        sum = fround(sum + fround(plane[y * width + index[tap]] * weights[tap]));
      }
      out[y * length + x] = sum;
    }
  }
  return out;
}

/**
 * Return a part of a resized plane, in floating point, neither clipped nor rounded.
 * @param {Float32Array} plane inputs that both windows depend on, row by row
 * @param {Window} rows
 * @param {Window} columns
 */
export function resizeWindow(plane, rows, columns) {
  const width = columns.stop - columns.start;
  return resizeColumns(resizeRows(plane, width, rows), width, columns);
}

/** Resize a plane in floating point; an axis that keeps its length is left as it is. */
function resizePlane(plane, width, height, toWidth, toHeight) {
  const rows = height === toHeight ? plane : resizeRows(plane, width, windowOf(height, toHeight));
  return width === toWidth ? rows : resizeColumns(rows, width, windowOf(width, toWidth));
}

/**
 * Resize interleaved samples at their depth, one channel at a time to save memory.
 * @param {{pixels: ArrayLike<number>, width: number, height: number, channels: number,
 *   bits: number}} image
 * @param {[number, number]} size width and height of the result
 */
export function resize({ pixels, width, height, channels, bits }, [toWidth, toHeight]) {
  const out = emptySamples(bits, toWidth * toHeight * channels);
  for (let c = 0; c < channels; c++) {
    const plane = new Float32Array(channelOf(pixels, channels, c));
    for (let i = 0; i < plane.length; i++) plane[i] /= white(bits);
    const resized = resizePlane(plane, width, height, toWidth, toHeight);
    for (let i = 0; i < resized.length; i++) out[channels * i + c] = stored(resized[i], bits);
  }
  return out;
}
