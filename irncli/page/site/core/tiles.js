/** Geometry of tiles, in integers: as irncli/engine/tiles.py. */

/**
 * Cut an axis into tiles with their windows: the tile and a halo, cut off at the borders. A
 * remainder is joined to its neighbour, so that no thin strip is left.
 * @param {number} size length of the axis
 * @param {number} side side of a tile; 0: one tile
 * @param {number} halo
 * @returns {{start: number, stop: number, low: number, high: number}[]}
 */
export function spans(size, side, halo) {
  const count = side > 0 ? Math.max(1, Math.floor(size / side)) : 1;
  return Array.from({ length: count }, (_, k) => {
    const start = k * side;
    const stop = k === count - 1 ? size : start + side;
    return { start, stop, low: Math.max(0, start - halo), high: Math.min(size, stop + halo) };
  });
}
