/** Sizes of HR and LR, and the grid of blocks that the guard marks: as irncli/geometry.py. */

const SIDE = 16;
const MOST_BLOCKS = 1 << 16;

/** Return the width and height of LR, each ceil(side / scale). */
export function lrSize(hrSize, scale) {
  return hrSize.map((side) => Math.ceil(side / scale - 1e-9));
}

/** Return the width and height of the image restored from an LR of size `lr`. */
export function restoredSize(hrSize, scale, lr) {
  if (String(lrSize(hrSize, scale)) === String(lr)) return hrSize;
  return lr.map((side) => Math.floor(side * scale + 1e-9));
}

/** Return the side of a block in LR pixels, for an LR of this width and height. */
export function blockSide([width, height]) {
  let side = SIDE;
  while (Math.ceil(width / side) * Math.ceil(height / side) > MOST_BLOCKS) side *= 2;
  return side;
}

/** Return the rows and columns of the grid, for an LR of this width and height. */
export function gridShape(size) {
  const side = blockSide(size);
  return [Math.ceil(size[1] / side), Math.ceil(size[0] / side)];
}
