/**
 * PNG: chunks, and the writing of images of 8 or 16 bits per channel with their metadata.
 *
 * Source: PNG (Portable Network Graphics) specification, third edition.
 */

import { bigEndian, bytesOf, concat, deflate } from "./bytes.js";

export const SIGNATURE = bytesOf("\x89PNG\r\n\x1a\n");
export const XMP_KEYWORD = "XML:com.adobe.xmp";

/** Colour types by number of channels. */
const KINDS = [undefined, 0, 4, 2, 6];
const METRES_PER_INCH = 0.0254;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? 0xedb88320 ^ (rest >>> 1) : rest >>> 1;
  return rest;
});

/** Return the checksum of bytes, which are one part of a file after the other. */
export function crc32(...parts) {
  let crc = 0xffffffff;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) crc = CRC_TABLE[(crc ^ part[i]) & 255] ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Return the parts of a chunk in a file: length, type, body and checksum. */
function framed(kind, body) {
  const name = bytesOf(kind);
  return [bigEndian(body.length), name, body, bigEndian(crc32(name, body))];
}

/**
 * Return the PNG of an image.
 * @param {{data: Uint8ClampedArray | Uint16Array, width: number, height: number,
 *   channels: number, bits: number}} image
 * @param {object} metadata that of a small image
 * @returns {Promise<Uint8Array>}
 */
export async function encodePng(image, metadata) {
  const { width, height, channels, bits } = image;
  const header = Uint8Array.of(
    ...bigEndian(width),
    ...bigEndian(height),
    bits,
    KINDS[channels],
    0,
    0,
    0,
  );
  const chunks = [
    ["IHDR", header],
    ...metadata.chunks.map(({ kind, body }) => [kind, body]),
    ...(await metadataChunks(metadata)),
    ["IDAT", await deflate(filtered(image))],
    ["IEND", new Uint8Array()],
  ];
  return concat([SIGNATURE, ...chunks.flatMap(([kind, body]) => framed(kind, body))]);
}

async function metadataChunks({ icc, density, exif, xmp }) {
  const chunks = [];
  if (icc !== null) {
    chunks.push(["iCCP", concat([bytesOf("ICC Profile\0\0"), await deflate(icc)])]);
  }
  if (density !== null) {
    const [across, down] = density.map((dpi) => bigEndian(Math.floor(dpi / METRES_PER_INCH + 0.5)));
    chunks.push(["pHYs", Uint8Array.of(...across, ...down, 1)]);
  }
  if (exif !== null) chunks.push(["eXIf", exif]);
  if (xmp !== null) {
    const text = new TextEncoder().encode(xmp);
    chunks.push(["iTXt", concat([bytesOf(`${XMP_KEYWORD}\0\0\0\0\0`), text])]);
  }
  return chunks;
}

/** Return the rows of an image, each with its filter type, which makes it easy to compress. */
function filtered({ data, width, height, channels, bits }) {
  const step = (channels * bits) / 8;
  const stride = width * step;
  const out = new Uint8Array(height * (1 + stride));
  const candidates = [0, 1, 2, 3, 4].map(() => new Uint8Array(stride));
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const row = bytesOfRow(data.subarray(y * width * channels, (y + 1) * width * channels));
    const best = y === 0 ? 1 : bestFilter(row, above, step, candidates);
    if (y === 0) applyFilter(1, row, above, step, candidates[1]);
    out[y * (1 + stride)] = best;
    out.set(candidates[best], y * (1 + stride) + 1);
    above = row;
  }
  return out;
}

/** Return the bytes of a row of samples; those of 16 bits are big-endian. */
function bytesOfRow(samples) {
  if (!(samples instanceof Uint16Array)) return samples;
  const bytes = new Uint8Array(2 * samples.length);
  for (let i = 0; i < samples.length; i++) {
    bytes[2 * i] = samples[i] >>> 8;
    bytes[2 * i + 1] = samples[i];
  }
  return bytes;
}

/** Filter a row in each way, and return the type with the smallest sum of absolute values. */
function bestFilter(row, above, step, candidates) {
  let best = 0;
  let least = Infinity;
  for (const kind of [1, 2, 3, 4]) {
    const sum = applyFilter(kind, row, above, step, candidates[kind]);
    if (sum < least) {
      least = sum;
      best = kind;
    }
  }
  return best;
}

function applyFilter(kind, row, above, step, out) {
  let sum = 0;
  for (let i = 0; i < row.length; i++) {
    const left = i < step ? 0 : row[i - step];
    const corner = i < step ? 0 : above[i - step];
    const value = (row[i] - predicted(kind, left, above[i], corner)) & 255;
    out[i] = value;
    sum += value < 128 ? value : 256 - value;
  }
  return sum;
}

/** Return the value that a filter type predicts from the neighbours of a byte. */
export function predicted(kind, left, above, corner) {
  if (kind === 1) return left;
  if (kind === 2) return above;
  if (kind === 3) return (left + above) >> 1;
  if (kind !== 4) return 0;
  const estimate = left + above - corner;
  const fromLeft = Math.abs(estimate - left);
  const fromAbove = Math.abs(estimate - above);
  const fromCorner = Math.abs(estimate - corner);
  if (fromLeft <= fromAbove && fromLeft <= fromCorner) return left;
  return fromAbove <= fromCorner ? above : corner;
}
