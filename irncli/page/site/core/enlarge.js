/** Plain bicubic enlargement, to be compared with the restored image. */

import { resize } from "./bicubic.js";
import { joined } from "./images.js";

/**
 * Enlarge a small image bicubically to the size of the restored image.
 * @param {object} small result of `readSmallImage`
 * @returns {import("./images.js").Image}
 */
export function enlarge(small) {
  const [width, height] = small.hrSize;
  const resized = (pixels, channels) => resize({ ...small, pixels, channels }, small.hrSize);
  const alpha = small.alpha && resized(small.alpha, 1);
  return joined({ ...small, pixels: resized(small.pixels, small.channels), alpha, width, height });
}
