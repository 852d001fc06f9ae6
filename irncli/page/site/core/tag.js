/**
 * The irn tag of a small image: as irncli/io/tag.py.
 *
 * A tag is untrusted input: every value is checked before it is used.
 */

import { containsText, fromBase64, inflate } from "./bytes.js";
import { ImageError } from "./errors.js";
import { gridShape, lrSize } from "./geometry.js";
import { propertiesOf } from "./xmp.js";

/** Newest format of a tag that is read. */
const FORMAT = 3;
export const NAMESPACE = "urn:irn:tag:1";

const TASKS = ["rescale", "color", "plain"];
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const HASH = /^[0-9a-f]{64}$/;
const DECIMAL = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;
const INTEGER = /^\s*[+-]?\d+\s*$/;
const MAX_SCALE = 64;
const MAX_ICC_BYTES = 4 << 20;
const MAX_BICUBIC_BYTES = 16 << 10;
const MAX_FRAMES = 1 << 24;

/**
 * The data that are needed to restore an image.
 * @typedef {object} Tag
 * @property {"rescale" | "color" | "plain"} task plain: the file is the image itself
 * @property {string} model name of the model
 * @property {string} weightsSha256 SHA-256 of its weights
 * @property {number} scale HR size over LR size; may be a fraction
 * @property {[number, number]} hrSize width and height of the image
 * @property {8 | 16} bits bits per channel of the image
 * @property {string} contentSha256 hash of the small image
 * @property {number} temperature default width of z
 * @property {boolean} gray the image has one channel
 * @property {string} restorer name of the model that undoes the codec; "": none
 * @property {Uint8Array | null} icc colour profile that a gray small image cannot store
 * @property {boolean} neutral the image has three equal channels
 * @property {Blocks | null} bicubic blocks to restore without the network
 * @property {[number, number, number] | null} tint code values to add to R, G and B there
 * @property {number} frames number of frames of the file
 *
 * @typedef {object} Blocks
 * @property {number} rows
 * @property {number} columns
 * @property {Uint8Array} marked 1 for each marked block, row by row
 */

function check(condition, message) {
  if (!condition) throw new ImageError(`the irn tag of this file is not usable: ${message}`);
}

function damaged(message) {
  return new ImageError(`the irn tag of this file is damaged: ${message}`);
}

/**
 * Return the tag in an XMP packet; null if there is none.
 * @param {Uint8Array | null} xmp
 * @returns {Promise<Tag | null>}
 */
export async function readTag(xmp) {
  if (xmp === null || !containsText(xmp, NAMESPACE)) {
    if (xmp !== null && containsText(xmp, "urn:irn:tag:")) {
      throw new ImageError(
        "the irn tag of this file has a newer format: make this page again with a newer irn",
      );
    }
    return null;
  }
  const values = propertiesOf(xmp, NAMESPACE);
  if (values.size === 0) return null;
  const version = values.get("format") ?? "none";
  if (!["1", "2", "3"].includes(version)) {
    throw new ImageError(
      `the irn tag of this file has format ${version.slice(0, 20)}, this page reads format ` +
        `${FORMAT} at most: make it again with a newer irn`,
    );
  }
  const tag = await checked(fieldsOf(values), values.get("bicubic") ?? "");
  check(String(formatOf(tag)) === version, `format ${version} does not fit the content`);
  return tag;
}

/** Return the oldest format that can represent a tag. */
function formatOf(tag) {
  if (tag.frames > 1) return 3;
  return tag.bicubic === null ? 1 : 2;
}

function fieldsOf(values) {
  const text = (name) => {
    if (!values.has(name)) throw new ImageError(`the irn tag of this file lacks ${name}`);
    return values.get(name);
  };
  return {
    task: text("task"),
    model: text("model"),
    weightsSha256: text("weights_sha256"),
    scale: decimal(text("scale")),
    hrSize: [integer(text("hr_width")), integer(text("hr_height"))],
    bits: integer(text("bits")),
    contentSha256: text("content_sha256"),
    temperature: decimal(text("temperature")),
    gray: values.get("gray") === "1",
    restorer: values.get("restorer") ?? "",
    icc: profile(values.get("icc") ?? ""),
    neutral: values.get("neutral") === "1",
    bicubic: null,
    tint: tint(values.get("tint") ?? ""),
    frames: integer(values.get("frames") ?? "1"),
  };
}

function decimal(text) {
  if (!DECIMAL.test(text)) throw damaged(`${text.slice(0, 40)} is not a number`);
  return Number(text);
}

function integer(text) {
  if (!INTEGER.test(text)) throw damaged(`${text.slice(0, 20)} is not a whole number`);
  return Number(text);
}

function profile(text) {
  return text === "" ? null : bytesIn(text);
}

function tint(text) {
  if (text === "") return null;
  const values = text.slice(0, 100).trim().split(/\s+/).map(decimal);
  if (values.length !== 3) throw damaged(`a tint of ${values.length} values`);
  return values;
}

function bytesIn(text) {
  const bytes = fromBase64(text);
  if (bytes === null) throw damaged("base64 that cannot be decoded");
  return bytes;
}

/** Check the values of a tag, and add its blocks, given their base64 text. */
async function checked(tag, bicubic) {
  check(TASKS.includes(tag.task), `unknown task '${tag.task.slice(0, 40)}'`);
  for (const name of [tag.model, tag.restorer || tag.model]) {
    check(NAME.test(name), `model '${name.slice(0, 40)}' is not a valid name`);
  }
  for (const hash of [tag.weightsSha256, tag.contentSha256]) {
    check(HASH.test(hash), `'${hash.slice(0, 40)}' is not a SHA-256`);
  }
  const profileBytes = tag.icc?.length ?? 0;
  check(profileBytes <= MAX_ICC_BYTES, `a profile of ${profileBytes} bytes`);
  check(tag.scale >= 1 && tag.scale <= MAX_SCALE, `scale ${tag.scale}`);
  check(tag.task !== "rescale" || tag.scale > 1, `scale ${tag.scale}`);
  const [width, height] = tag.hrSize;
  check(Math.min(width, height) > 0 && width * height <= 1e10, `image of ${width}x${height}`);
  check(tag.bits === 8 || tag.bits === 16, `${tag.bits} bits`);
  check(tag.temperature >= 0 && tag.temperature <= 100, `temperature ${tag.temperature}`);
  check(tag.frames >= 1 && tag.frames <= MAX_FRAMES, `${tag.frames} frames`);
  if (bicubic === "") {
    check(tag.tint === null, "a tint without blocks");
    return tag;
  }
  return { ...tag, bicubic: await checkedBlocks(tag, bytesIn(bicubic)) };
}

async function checkedBlocks(tag, packed) {
  check(tag.task !== "plain", "blocks of a plain image");
  check((tag.task === "color") === (tag.tint !== null), "blocks and tint disagree");
  check(
    (tag.tint ?? [0]).every((value) => Math.abs(value) <= 255),
    `tint ${tag.tint}`,
  );
  check(packed.length <= MAX_BICUBIC_BYTES, `${packed.length} bytes of blocks`);
  const blocks = await unpacked(packed, lrSize(tag.hrSize, tag.scale));
  check(blocks.marked.includes(1), "a bitmap without blocks");
  return blocks;
}

/** Return the blocks of a bitmap for an LR of this size: row by row, eight blocks per byte. */
async function unpacked(packed, size) {
  const [rows, columns] = gridShape(size);
  const count = rows * columns;
  const { bytes, complete } = await inflate(packed, Math.ceil(count / 8) + 1);
  const fits = complete && bytes.length === Math.ceil(count / 8);
  const trouble = `it does not hold ${count} bits for ${rows}x${columns} blocks`;
  const message = (why) => `the bitmap in the irn tag of this file is damaged: ${why}`;
  if (!fits) throw new ImageError(message(trouble));
  const bits = Uint8Array.from(
    { length: 8 * bytes.length },
    (_, i) => (bytes[i >> 3] >> (7 - (i & 7))) & 1,
  );
  if (bits.subarray(count).includes(1))
    throw new ImageError(message("there are bits after its end"));
  return { rows, columns, marked: bits.slice(0, count) };
}
