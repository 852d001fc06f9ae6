/** How much memory the page may take, and what follows for tiles and images. */

import { memoryNeeded } from "./core/restore.js";

const GIB = 2 ** 30;

/**
 * Sides of tiles in pixels of the restored image. Larger ones would save little time, and there
 * would be no progress to be seen; smaller ones need less memory.
 */
const SIDES = [768, 512, 384, 256, 192, 128];

/**
 * Return the bytes that restoring may take. Browsers say little about memory: some round it and name
 * 8 GiB at most, others say nothing, and a page that takes too much on a phone is ended.
 * @param {number | undefined} deviceMemory as of `navigator`, in GiB
 * @param {boolean} phone
 */
export function memoryBudget(deviceMemory, phone) {
  if (phone) return 0.6 * GIB;
  return Math.min(2, (deviceMemory ?? 4) / 3) * GIB;
}

/** Return the budget of this browser. */
export function budgetHere() {
  return memoryBudget(navigator.deviceMemory, matchMedia("(hover: none) and (pointer: coarse)").matches);
}

/** Return the side of tiles in LR pixels with which an image fits into the budget; null if there is none. */
export function chooseSide(small, model, budget) {
  return sidesFor(model).find((side) => memoryNeeded(small, model, side) <= budget) ?? null;
}

function sidesFor(model) {
  return SIDES.map((side) => Math.ceil(side / (model?.scale ?? 1)));
}

/** Return the megapixels that an image of the same kind could have at most when it is restored. */
export function largestMegapixels(small, model, budget) {
  const smallest = sidesFor(model).at(-1);
  let [low, high] = [0, 1];
  for (let round = 0; round < 30; round++) {
    const factor = (low + high) / 2;
    if (memoryNeeded(shrunk(small, factor), model, smallest) <= budget) low = factor;
    else high = factor;
  }
  const [width, height] = small.hrSize;
  return (low * low * width * height) / 1e6;
}

function shrunk(small, factor) {
  const side = (length) => Math.max(1, Math.floor(length * factor));
  return {
    ...small,
    width: side(small.width),
    height: side(small.height),
    hrSize: small.hrSize.map(side),
    pixels: { byteLength: small.pixels.byteLength * factor * factor },
  };
}
