/** Restoring of a small image by a network, in tiles: as irncli/operations/restore.py. */

import { resize } from "./bicubic.js";
import { ImageError } from "./errors.js";
import { Fallback, planeOf } from "./fallback.js";
import { channelOf, emptySamples, isNeutral, joined, stored, toBits } from "./images.js";
import { drawWindow } from "./latent.js";
import { spans } from "./tiles.js";

/** Default side of a tile in restored pixels, without its halo. */
const SIDE = 512;
/**
 * Bytes per restored pixel of a window that the network takes. ONNX Runtime Web was seen to take
 * 300 to 420.
 */
const NETWORK_BYTES = 600;
/**
 * Bytes per restored pixel of 8 bits, apart from the network: the image, the bicubic one, both as
 * the page shows them, and the PNG with its parts on the way.
 */
const IMAGE_BYTES = 20;

/**
 * An entry of models.json.
 * @typedef {object} Model
 * @property {string} name
 * @property {"rescale" | "color"} task
 * @property {number} scale HR size over LR size; 1 for colour
 * @property {string} weights_sha256
 * @property {number} cell LR pixels per side of a cell, which has one value of z per channel
 * @property {number} latent_channels
 * @property {number[]} latent_sigma width of z per channel
 * @property {number} halo LR pixels around a tile that its restored pixels depend on
 * @property {number} bytes size of the file
 */

/**
 * Return the model that restores a small image; null if none is needed.
 * @param {object} small result of `readSmallImage`
 * @param {Model[]} models
 * @returns {Model | null}
 */
export function chooseModel(small, models) {
  const { tag } = small;
  if (isTheImage(tag)) return null;
  const found = models.filter((model) => model.weights_sha256 === tag.weightsSha256);
  const model = found.find(({ name }) => name === tag.model) ?? found[0];
  const weights = tag.weightsSha256.slice(0, 12);
  if (model === undefined) {
    const same = models.find(({ name }) => name === tag.model);
    throw new ImageError(
      same === undefined
        ? `made by the model '${tag.model}' (weights ${weights}), which this page does not have: ` +
            `make the page with --model ${tag.model}`
        : `made by weights ${weights} of ${tag.model}, but this page has the weights ` +
            `${same.weights_sha256.slice(0, 12)}: make the page with the original weights`,
    );
  }
  if (model.task !== tag.task) {
    throw new ImageError(`${model.name} is a model for another task than the tag: '${tag.task}'`);
  }
  if (tag.scale > model.scale) {
    throw new ImageError(
      `${model.name} has scale ${model.scale}, expected ${tag.scale} or more, as in the tag`,
    );
  }
  return model;
}

/** Tell whether the file holds the image itself, which no network has to restore. */
function isTheImage(tag) {
  return tag.task === "plain" || (tag.task === "color" && tag.gray);
}

/**
 * Restore a small image.
 * @param {object} small result of `readSmallImage`
 * @param {Model | null} model result of `chooseModel`
 * @param {object} options
 * @param {bigint | string} [options.seed] seed of z
 * @param {number} [options.temperature] width of z; 0: z = 0; by default that of the tag
 * @param {(lr: Float32Array, z: Float32Array, h: number, w: number) => Promise<Float32Array>}
 *   options.run the network: lr [C, h, w] and z [L, h / cell, w / cell] to RGB [3, H, W], values
 *   in [0, 1]
 * @param {number} [options.side] side of a tile in LR pixels, without its halo; 0: no tiles
 * @param {(share: number) => void} [options.onProgress]
 * @param {AbortSignal} [options.signal] looked at between tiles
 * @returns {Promise<import("./images.js").Image>}
 */
export async function restore(small, model, options = {}) {
  if (small.tag.task === "color" && !isNeutral(small.pixels, small.channels)) {
    throw new ImageError("found colours, expected a gray image made by 'irn decolor'");
  }
  if (isTheImage(small.tag)) return itself(small);
  const [width, height] = small.hrSize;
  const { bits } = small.tag;
  const full = await network(small, model, options);
  const fits = full.width === width && full.height === height;
  const colours = fits ? full.pixels : resize({ ...full, channels: 3 }, small.hrSize);
  return joined({
    ...recoloured(colours, small),
    alpha: restoredAlpha(small),
    width,
    height,
    bits,
  });
}

/** Return the pixels of a restored image, and their number of channels: gray stays exactly gray. */
function recoloured(pixels, { tag, channels }) {
  const gray = channels === 1 || tag.gray;
  if (tag.task === "color" || !(gray || tag.neutral)) return { pixels, channels: 3 };
  return { pixels: toGray(pixels, gray ? 1 : 3), channels: gray ? 1 : 3 };
}

function itself(small) {
  const gray = small.tag.task === "color" || small.channels === 1;
  const pixels = gray ? channelOf(small.pixels, small.channels, 0) : small.pixels;
  return joined({ ...small, pixels, channels: gray ? 1 : 3 });
}

/** Replace each of the three channels by their mean. */
function toGray(pixels, channels) {
  const out = new pixels.constructor((pixels.length / 3) * channels);
  for (let i = 0; i < pixels.length / 3; i++) {
    // A third is never half-way between whole numbers.
    const mean = Math.round((pixels[3 * i] + pixels[3 * i + 1] + pixels[3 * i + 2]) / 3);
    out.fill(mean, channels * i, channels * (i + 1));
  }
  return out;
}

function restoredAlpha(small) {
  if (small.alpha === null) return null;
  const { bits } = small.tag;
  const pixels = toBits(small.alpha, small.bits, bits);
  return small.tag.task === "color"
    ? pixels
    : resize({ ...small, pixels, channels: 1, bits }, small.hrSize);
}

/** Return the size of the image that the network restores. */
function networkSize(small, model) {
  if (small.tag.scale === model.scale) return small.hrSize;
  return [small.width * model.scale, small.height * model.scale];
}

/** Run the network on all tiles: RGB samples of the size of `networkSize`. */
async function network(
  small,
  model,
  { side = sideFor(model), onProgress = () => {}, signal, ...options },
) {
  const [width, height] = networkSize(small, model);
  const pixels = emptySamples(small.tag.bits, 3 * width * height);
  const out = { pixels, width, height, bits: small.tag.bits };
  const fallback = Fallback.of(small, model.scale);
  const tiles = tilesOf(small, model, side);
  for (const [done, tile] of tiles.entries()) {
    signal?.throwIfAborted();
    onProgress(done / tiles.length);
    const { planes, place } = await restoredTile(small, model, tile, options);
    fallback?.over(planes, place);
    write(planes, place, out);
  }
  onProgress(1);
  return out;
}

function sideFor(model) {
  return model === null ? 0 : Math.ceil(SIDE / model.scale);
}

/** Return the rows and columns of all tiles, in LR pixels; all are multiples of the cell. */
function tilesOf(small, { cell, halo }, side) {
  const whole = (length) => Math.ceil(length / cell) * cell;
  const cut = (length) => spans(whole(length), whole(side), whole(halo));
  return cut(small.height).flatMap((rows) =>
    cut(small.width).map((columns) => ({ rows, columns })),
  );
}

/** Restore the window of a tile; return the tile, cut out of it. */
async function restoredTile(small, model, { rows, columns }, options) {
  const window = {
    top: rows.low,
    left: columns.low,
    height: rows.high - rows.low,
    width: columns.high - columns.low,
  };
  const hr = await options.run(
    lrOf(small, model, window),
    latentOf(small, model, window, options),
    window.height,
    window.width,
  );
  // Half precision can overflow, and drivers have errors: black pixels would be no result.
  if (hr.some(Number.isNaN)) throw new Error("the network gave values that are not numbers");
  const { scale } = model;
  const place = {
    top: rows.start * scale,
    left: columns.start * scale,
    height: (rows.stop - rows.start) * scale,
    width: (columns.stop - columns.start) * scale,
  };
  const inner = { top: place.top - rows.low * scale, left: place.left - columns.low * scale };
  const planes = [0, 1, 2].map((c) => cropped(hr, c, window, scale, { ...place, ...inner }));
  return { planes, place };
}

function lrOf(small, model, window) {
  const channels = model.task === "color" ? 1 : 3;
  const count = window.height * window.width;
  const lr = new Float32Array(channels * count);
  for (let c = 0; c < channels; c++) {
    lr.set(planeOf(small, Math.min(c, small.channels - 1), window), c * count);
  }
  return lr;
}

function latentOf(small, model, window, { seed = 0n, temperature = small.tag.temperature }) {
  const { cell, latent_channels: channels } = model;
  const [top, left, height, width] = [window.top, window.left, window.height, window.width].map(
    (v) => v / cell,
  );
  const count = height * width;
  const sigma = model.latent_sigma.map((value) => Math.fround(Math.fround(value) * temperature));
  if (sigma.every((value) => value === 0)) return new Float32Array(channels * count);
  const z = drawWindow(seed, { top, left, height, width }, channels);
  for (let i = 0; i < z.length; i++) z[i] *= sigma[Math.floor(i / count)];
  return z;
}

function cropped(hr, channel, window, scale, { top, left, height, width }) {
  const stride = window.width * scale;
  const start = channel * window.height * scale * stride;
  const plane = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    const from = start + (top + y) * stride + left;
    plane.set(hr.subarray(from, from + width), y * width);
  }
  return plane;
}

/** Write a tile; what lies beyond the image is left out. */
function write(planes, { top, left, height, width }, out) {
  const bottom = Math.min(top + height, out.height);
  const right = Math.min(left + width, out.width);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const at = 3 * (y * out.width + x);
      const from = (y - top) * width + x - left;
      for (let c = 0; c < 3; c++) out.pixels[at + c] = stored(planes[c][from], out.bits);
    }
  }
}

/**
 * Return an estimate of the memory in bytes that restoring takes, without that of the page itself.
 * @param {object} small result of `readSmallImage`
 * @param {Model | null} model
 * @param {number} [side] as for `restore`
 */
export function memoryNeeded(small, model, side = sideFor(model)) {
  const [width, height] = small.hrSize;
  const sample = small.tag.bits / 8;
  const images = small.pixels.byteLength + IMAGE_BYTES * width * height * sample;
  if (model === null) return images;
  const [fullWidth, fullHeight] = networkSize(small, model);
  const between =
    fullWidth === width && fullHeight === height
      ? 0
      : 3 * fullWidth * fullHeight * sample + 8 * width * height;
  const windows = tilesOf(small, model, side).map(
    ({ rows, columns }) => (rows.high - rows.low) * (columns.high - columns.low),
  );
  const largest = Math.max(...windows) * model.scale ** 2;
  return images + between + 2 * model.bytes + NETWORK_BYTES * largest;
}
