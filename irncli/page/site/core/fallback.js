/** Blocks that are restored without the network and blended in: as irncli/engine/fallback.py. */

import { resizeWindow, windowOf } from "./bicubic.js";
import { blockSide, gridShape } from "./geometry.js";
import { white } from "./images.js";

const { fround } = Math;

/** Replacement for the network in the marked blocks of a small image. */
export class Fallback {
  /**
   * Return the fallback for a small image; null if no blocks are marked, or if the image no longer
   * has the size for which they were marked.
   * @param {object} small result of `readSmallImage`
   * @param {number} scale scale of the network
   */
  static of(small, scale) {
    const { bicubic } = small.tag;
    const [rows, columns] = gridShape([small.width, small.height]);
    const fits = bicubic !== null && bicubic.rows === rows && bicubic.columns === columns;
    return fits ? new Fallback(small, bicubic, scale) : null;
  }

  constructor(small, blocks, scale) {
    this.small = small;
    this.scale = scale;
    this.half = (blockSide([small.width, small.height]) * scale) / 2;
    this.grown = grown(blocks);
  }

  /**
   * Blend over a restored tile, in place.
   * @param {Float32Array[]} planes R, G and B of the tile
   * @param {{top: number, left: number, height: number, width: number}} place of it in the restored
   *   image
   */
  over(planes, place) {
    const weights = this.weights(place);
    if (weights === null) return;
    for (const [c, plane] of planes.entries()) {
      const plain = this.plain(c, place);
      for (let i = 0; i < plane.length; i++) plane[i] = mixed(plane[i], plain[i], weights[i]);
    }
  }

  /** Return the weights of the plain image; null if they are all 0. */
  weights({ top, left, height, width }) {
    const { rows, columns, values } = this.grown;
    const down = places(top, height, this.half, rows);
    const across = places(left, width, this.half, columns);
    const out = new Float32Array(height * width);
    let some = false;
    for (let y = 0; y < height; y++) {
      const above = down.low[y] * columns;
      const below = down.high[y] * columns;
      for (let x = 0; x < width; x++) {
        const first = between(
          values[above + across.low[x]],
          values[below + across.low[x]],
          down.share[y],
        );
        const second = between(
          values[above + across.high[x]],
          values[below + across.high[x]],
          down.share[y],
        );
        const weight = between(first, second, across.share[x]);
        out[y * width + x] = weight;
        some ||= weight > 0;
      }
    }
    return some ? out : null;
  }

  /** Restore one channel of a part of the image without the network. */
  plain(channel, place) {
    const values =
      this.small.tag.tint === null ? this.enlarged(channel, place) : this.tinted(channel, place);
    return values.map((value) => Math.min(1, Math.max(0, value)));
  }

  enlarged(channel, { top, left, height, width }) {
    const { small, scale } = this;
    const rows = windowOf(small.height, small.height * scale, top, top + height);
    const columns = windowOf(small.width, small.width * scale, left, left + width);
    const from = Math.min(channel, small.channels - 1);
    const size = { height: rows.stop - rows.start, width: columns.stop - columns.start };
    const source = planeOf(small, from, { top: rows.start, left: columns.start, ...size });
    return resizeWindow(source, rows, columns);
  }

  tinted(channel, place) {
    const tint = fround(fround(this.small.tag.tint[channel]) / 255);
    return planeOf(this.small, 0, place).map((gray) => gray + tint);
  }
}

/**
 * Return one channel of a part of a small image, in [0, 1]. Beyond the image, its last row and
 * column are repeated.
 */
export function planeOf({ pixels, width, height, channels, bits }, channel, part) {
  const plane = new Float32Array(part.height * part.width);
  for (let y = 0; y < part.height; y++) {
    const row = Math.min(part.top + y, height - 1) * width;
    for (let x = 0; x < part.width; x++) {
      const column = Math.min(part.left + x, width - 1);
      plane[y * part.width + x] = pixels[(row + column) * channels + channel] / white(bits);
    }
  }
  return plane;
}

/** Return the blocks at twice the resolution, each grown by half a block. */
function grown({ rows, columns, marked }) {
  const values = new Uint8Array(4 * rows * columns);
  for (let y = 0; y < 2 * rows; y++) {
    for (let x = 0; x < 2 * columns; x++) {
      if (!marked[(y >> 1) * columns + (x >> 1)]) continue;
      for (let v = Math.max(0, y - 1); v <= Math.min(2 * rows - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(2 * columns - 1, x + 1); u++) {
          values[v * 2 * columns + u] = 1;
        }
      }
    }
  }
  return { rows: 2 * rows, columns: 2 * columns, values };
}

/** Return, for each pixel of an axis, the halves of blocks between which its weight lies. */
function places(start, length, half, count) {
  const low = new Int32Array(length);
  const high = new Int32Array(length);
  const share = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const place = fround(fround((start + i + 0.5) / half) - 0.5);
    const inside = Math.min(count - 1, Math.max(0, place));
    low[i] = Math.floor(inside);
    high[i] = Math.min(count - 1, low[i] + 1);
    share[i] = inside - low[i];
  }
  return { low, high, share };
}

function between(first, second, share) {
  return fround(first + fround(share * (second - first)));
}

/** Return the network's value where the weight is 0, and exactly the plain one where it is 1. */
function mixed(network, plain, weight) {
  return weight === 1 ? plain : network + weight * (plain - network);
}
