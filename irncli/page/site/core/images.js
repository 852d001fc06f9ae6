/** Images in memory: interleaved samples of 8 or 16 bits. */

/**
 * @typedef {object} Image
 * @property {Uint8ClampedArray | Uint16Array} data interleaved samples, row by row
 * @property {number} width
 * @property {number} height
 * @property {1 | 2 | 3 | 4} channels gray, gray and alpha, RGB, RGB and alpha
 * @property {8 | 16} bits
 */

/** Return the largest value of a sample, white or opaque. */
export function white(bits) {
  return bits === 16 ? 65535 : 255;
}

/** Return an array for samples of a depth. */
export function emptySamples(bits, count) {
  return bits === 16 ? new Uint16Array(count) : new Uint8ClampedArray(count);
}

/** Return a value in [0, 1] as a whole number of the depth, in steps of float32 as torch does. */
export function stored(value, bits) {
  const scaled = Math.fround(Math.min(1, Math.max(0, value)) * white(bits));
  const below = Math.floor(scaled);
  const rest = scaled - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below + (below & 1);
}

/** Return samples at another depth; 65535 and 255 are both white. */
export function toBits(samples, from, to) {
  if (from === to) return samples;
  const converted = emptySamples(to, samples.length);
  const convert = to === 16 ? (v) => v * 257 : (v) => Math.floor((v * 255 + 32767) / 65535);
  for (let i = 0; i < samples.length; i++) converted[i] = convert(samples[i]);
  return converted;
}

/**
 * Return an image of colours and alpha.
 * @returns {Image}
 */
export function joined({ pixels, alpha, channels, width, height, bits }) {
  const all = channels + (alpha === null ? 0 : 1);
  const count = width * height;
  const direct = alpha === null && !(pixels instanceof Uint8Array);
  const data = direct ? pixels : emptySamples(bits, count * all);
  if (alpha === null && !direct) data.set(pixels);
  if (alpha !== null) {
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < channels; c++) data[all * i + c] = pixels[channels * i + c];
      data[all * i + channels] = alpha[i];
    }
  }
  return { data, width, height, channels: all, bits };
}

/** Tell whether the channels of all pixels are equal. */
export function isNeutral(pixels, channels) {
  for (let i = 0; i < pixels.length; i += channels) {
    for (let c = 1; c < channels; c++) if (pixels[i] !== pixels[i + c]) return false;
  }
  return true;
}

/** Return one channel of interleaved samples. */
export function channelOf(pixels, channels, channel) {
  if (channels === 1) return pixels;
  const plane = new pixels.constructor(pixels.length / channels);
  for (let i = 0; i < plane.length; i++) plane[i] = pixels[channels * i + channel];
  return plane;
}
