/** How much memory the page may take, and what follows for tiles and images. */

import { memoryNeeded } from "./core/restore.js";

const GIB = 2 ** 30;

/** Sides of tiles in LR pixels, from the quickest to the one that needs the least memory; 0: no tiles. */
const SIDES = [0, 512, 384, 256, 192, 128, 96, 64];

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

/** Return the side of tiles with which an image fits into the budget; null if there is none. */
export function chooseSide(small, model, budget) {
  return SIDES.find((side) => memoryNeeded(small, model, side) <= budget) ?? null;
}

/** Return the megapixels that an image of the same kind could have at most when it is restored. */
export function largestMegapixels(small, model, budget) {
  let [low, high] = [0, 1];
  for (let round = 0; round < 30; round++) {
    const factor = (low + high) / 2;
    if (memoryNeeded(shrunk(small, factor), model, SIDES.at(-1)) <= budget) low = factor;
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
