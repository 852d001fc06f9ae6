/** Reading of small images: a PNG or JPEG with an irn tag. */

import { hasText, latin1 } from "./bytes.js";
import { ImageError } from "./errors.js";
import { restoredSize } from "./geometry.js";
import { isNeutral, white } from "./images.js";
import { isJpeg, readJpeg } from "./jpeg.js";
import { isPng, readPng } from "./png_reader.js";
import { sha256 } from "./sha256.js";
import { NAMESPACE, readTag } from "./tag.js";
import { withoutProperties } from "./xmp.js";

export { ImageError };

/** Largest number of pixels of a small or a restored image. */
export const MAX_PIXELS = 100_000_000;

const MAX_PROFILE = 4 << 20;

/**
 * Read a small image.
 *
 * @param {Uint8Array} bytes content of the file
 * @returns {Promise<Small>}
 * @throws {ImageError} the file is no small image, is damaged, or needs something that the page
 *   does not have
 *
 * @typedef {object} Small
 * @property {Uint8Array | Uint16Array} pixels interleaved samples, row by row
 * @property {number} width
 * @property {number} height
 * @property {1 | 3} channels
 * @property {8 | 16} bits
 * @property {Uint8Array | Uint16Array | null} alpha
 * @property {import("./tag.js").Tag} tag
 * @property {Metadata} metadata that of the restored image
 * @property {boolean} intact the pixels are those that irn wrote
 * @property {[number, number]} hrSize width and height of the restored image
 * @property {string[]} warnings why the image may not be restored well, one sentence each
 * @property {"png" | "jpeg"} source
 *
 * @typedef {object} Metadata
 * @property {Uint8Array | null} exif without the prefix that JPEG has
 * @property {Uint8Array | null} icc
 * @property {string | null} xmp without the tag
 * @property {[number, number] | null} density horizontal and vertical, in dots per inch
 * @property {{kind: string, body: Uint8Array}[]} chunks text and colour chunks of a PNG
 */
export async function readSmallImage(bytes) {
  const file = await opened(bytes);
  checkSize(file.width, file.height);
  const tag = await readTag(file.xmp);
  refuse(file, tag);
  const hrSize = hrSizeOf(file, tag);
  checkSize(...hrSize);
  const { width, height, source } = file;
  const image = { ...(await file.decode()), width, height };
  const intact = holds(file, image, tag.contentSha256);
  const warnings = [...file.damage, ...warningsOf(tag, intact, hrSize)];
  const metadata = metadataOf(file, image, tag, warnings);
  return { ...image, tag, metadata, intact, hrSize, warnings, source };
}

function opened(bytes) {
  if (bytes.length === 0) throw new ImageError("0 bytes, expected an image");
  if (isPng(bytes)) return readPng(bytes);
  if (isJpeg(bytes)) return readJpeg(bytes);
  throw new ImageError("not a PNG or JPEG, which are the small images that this page reads");
}

function checkSize(width, height) {
  if (width < 1 || height < 1)
    throw new ImageError(`damaged image: its size is ${width}x${height}`);
  if (width * height > MAX_PIXELS) {
    throw new ImageError(
      `${width}x${height} is ${width * height} pixels, more than the ${MAX_PIXELS} of this page: ` +
        "restore it by the command 'irn upscale'",
    );
  }
}

/** Refuse what the page does not restore. */
function refuse(file, tag) {
  if (tag === null) {
    const why = file.damage[0] ?? "irn did not make this file, or it was stripped";
    throw new ImageError(`no irn tag: ${why}. If irn made it, take the file as irn wrote it`);
  }
  const frames = Math.max(tag.frames, file.frames);
  if (frames > 1) {
    throw new ImageError(`${frames} frames, expected one: restore it by the command 'irn upscale'`);
  }
  if (tag.restorer !== "") {
    throw new ImageError(
      `this image needs the restoration module '${tag.restorer}', which this page does not have: ` +
        "restore it by the command 'irn upscale'",
    );
  }
}

function hrSizeOf({ width, height }, tag) {
  if (tag.task === "plain") return [width, height];
  return restoredSize(tag.hrSize, tag.scale, [width, height]);
}

function warningsOf(tag, intact, hrSize) {
  const found = [];
  if (!intact) {
    const lost = tag.task === "plain" ? "" : ": fine detail cannot be restored";
    found.push(`the pixels were changed since irn wrote them${lost}`);
  }
  if (tag.task !== "plain" && String(hrSize) !== String(tag.hrSize)) {
    found.push(`the image was resized since: restoring to ${hrSize.join("x")}`);
  }
  return found;
}

/** Tell whether a file holds the pixels of a hash: as in irncli/io/image_file.py. */
function holds(file, image, contentSha256) {
  if (file.coded !== undefined) return sha256(file.coded) === contentSha256;
  for (const [mode, samples] of equalForms(image)) {
    const head = new TextEncoder().encode(`${mode} ${image.width}x${image.height}\n`);
    // Samples of 16 bits are little-endian, as the memory of all machines that run browsers.
    const values = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    if (sha256([head, values]) === contentSha256) return true;
  }
  return false;
}

/** Yield the same pixels with other channels, and the names of these forms. */
function* equalForms({ pixels, alpha, channels, bits }) {
  const opaque = alpha === null || alpha.every((value) => value === white(bits));
  const gray = isNeutral(pixels, channels);
  const [plain, colour] = bits === 16 ? ["I;16", ";16"] : ["L", ""];
  const form = (count, withAlpha) => formOf({ pixels, alpha, channels, bits }, count, withAlpha);
  if (opaque && gray) yield [plain, form(1, false)];
  if (opaque) yield [`RGB${colour}`, form(3, false)];
  // In 16 bits, gray with alpha is hashed as four channels.
  if (gray) yield [`LA${colour}`, form(bits === 16 ? 3 : 1, true)];
  yield [`RGBA${colour}`, form(3, true)];
}

/** Return the samples with this number of colour channels, with or without alpha. */
function formOf({ pixels, alpha, channels, bits }, count, withAlpha) {
  if (count === channels && !withAlpha) return pixels;
  const all = count + (withAlpha ? 1 : 0);
  const out = new pixels.constructor((pixels.length / channels) * all);
  for (let i = 0; i < out.length / all; i++) {
    for (let c = 0; c < count; c++)
      out[all * i + c] = pixels[channels * i + Math.min(c, channels - 1)];
    if (withAlpha) out[all * i + count] = alpha === null ? white(bits) : alpha[i];
  }
  return out;
}

function metadataOf(file, image, tag, warnings) {
  return {
    exif: exifOf(file.exif, warnings),
    icc: profileOf(file, image, tag, warnings),
    xmp: withoutProperties(file.xmp, NAMESPACE),
    density: densityOf(file.density),
    chunks: file.chunks,
  };
}

function exifOf(exif, warnings) {
  if (exif === null || hasText(exif, "II*\0") || hasText(exif, "MM\0*")) return exif;
  warnings.push("its EXIF cannot be read and was left out");
  return null;
}

/** Return the profile of the restored image, if it is one for its colours. */
function profileOf(file, image, tag, warnings) {
  const icc = tag.icc ?? file.icc;
  if (icc === null) return null;
  const length = new DataView(icc.buffer, icc.byteOffset, icc.byteLength);
  if (icc.length < 128 || icc.length > MAX_PROFILE || length.getUint32(0) > icc.length) {
    warnings.push(`its colour profile, of ${icc.length} bytes, is damaged or too large: left out`);
    return null;
  }
  const space = latin1(icc.subarray(16, 20)).trim();
  const gray = tag.gray || (tag.task !== "color" && image.channels === 1);
  if (space === (gray ? "GRAY" : "RGB")) return icc;
  warnings.push(`its colour profile is one for ${space || "nothing"} and was left out`);
  return null;
}

function densityOf(density) {
  const known = density !== null && density.every((value) => value > 0 && value < 1e6);
  return known && String(density) !== "1,1" ? density : null;
}
