/**
 * JPEG files: their segments and metadata; the browser decodes the pixels.
 *
 * Source: ITU-T T.81, annex B; XMP specification, part 3; ICC specification, annex B.4.
 */

import { concat, hasText, uint16 } from "./bytes.js";
import { ImageError } from "./errors.js";

const SOS = 0xda;
const EOI = 0xd9;
const COMMENT = 0xfe;
const ADOBE = 0xee;
const APP1 = 0xe1;
const TABLES = [0xc4, 0xc8, 0xcc];
const HIERARCHICAL = [0xc5, 0xc6, 0xc7, 0xcd, 0xce, 0xcf];
const MAX_SCANS = 200;
const EXIF = "Exif\0\0";
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const EXTENDED_XMP = "http://ns.adobe.com/xmp/extension/\0";
const PROFILE = "ICC_PROFILE\0";
const CENTIMETRES_PER_INCH = 2.54;
/** Rows that are drawn at a time: canvases are limited in size. */
const STRIP = 1024;

/** Tell whether a file is a JPEG. */
export function isJpeg(bytes) {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/**
 * Read everything but the pixels.
 * @param {Uint8Array} bytes
 */
export function readJpeg(bytes) {
  const segments = segmentsOf(bytes);
  const frame = frameOf(segments);
  const payload = (marker, prefix) => {
    const found = segments.find((each) => each.marker === marker && hasText(each.body, prefix));
    return found === undefined ? null : found.body.subarray(prefix.length);
  };
  const coded = segments.filter(({ marker }) => !isMetadata(marker)).map(({ whole }) => whole);
  return {
    source: "jpeg",
    ...frame,
    frames: 1,
    xmp: payload(APP1, XMP),
    exif: payload(APP1, EXIF),
    icc: profileIn(segments),
    density: densityIn(payload(0xe0, "JFIF\0")),
    chunks: [],
    damage:
      payload(APP1, EXTENDED_XMP) === null
        ? []
        : ["its extended XMP, of more than 64 KB, was left out"],
    coded,
    decode: () => decode(segments, frame),
  };
}

/** Return the segments; coded data belong to the preceding SOS. */
function segmentsOf(bytes) {
  const segments = [];
  let at = 2;
  for (;;) {
    at = markerAt(bytes, at);
    const marker = bytes[at + 1];
    if (marker === EOI) break;
    let end = at + 2 + uint16(bytes, at + 2);
    if (!(end <= bytes.length)) throw new ImageError("damaged JPEG: it ends within a segment");
    const body = bytes.subarray(at + 4, end);
    if (marker === SOS) end = endOfScan(bytes, end);
    segments.push({ marker, body, whole: bytes.subarray(at, end) });
    at = end;
  }
  const scans = segments.filter(({ marker }) => marker === SOS).length;
  if (scans > MAX_SCANS) {
    throw new ImageError(`a JPEG with ${scans} scans, expected at most ${MAX_SCANS}`);
  }
  return segments;
}

/** Return the place of the next marker; stray bytes are skipped, as decoders do. */
function markerAt(bytes, from) {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] > 0 && bytes[at + 1] < 0xff) return at;
  }
  throw new ImageError("damaged JPEG: it ends before its last marker");
}

/** Return the place of the first marker after coded data that is not a restart. */
function endOfScan(bytes, from) {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1];
    if (next !== 0 && !(next >= 0xd0 && next <= 0xd7)) return at;
  }
  return bytes.length;
}

function isMetadata(marker) {
  return (marker >= 0xe0 && marker <= 0xef) || marker === COMMENT;
}

function frameOf(segments) {
  const frame = segments.find(
    ({ marker }) => marker >= 0xc0 && marker <= 0xcf && !TABLES.includes(marker),
  );
  if (frame === undefined || frame.body.length < 6) {
    throw new ImageError("a JPEG that cannot be read: it is damaged, its frame is missing");
  }
  const { marker, body } = frame;
  const channels = body[5];
  if (HIERARCHICAL.includes(marker)) {
    throw new ImageError("a hierarchical JPEG, which this page does not read");
  }
  if (body[0] !== 8) {
    throw new ImageError(`a JPEG with ${body[0]} bits per channel, expected 8`);
  }
  if (channels !== 1 && channels !== 3) {
    throw new ImageError(`a JPEG with ${channels} channels, expected 1 or 3`);
  }
  return { width: uint16(body, 3), height: uint16(body, 1), gray: channels === 1 };
}

function densityIn(jfif) {
  if (jfif === null || jfif.length < 7) return null;
  const factor = { 1: 1, 2: CENTIMETRES_PER_INCH }[jfif[2]];
  return factor === undefined ? null : [uint16(jfif, 3) * factor, uint16(jfif, 5) * factor];
}

/** Return the colour profile, whose parts are numbered from 1; null if one is missing. */
function profileIn(segments) {
  const parts = segments
    .filter(({ marker, body }) => marker === 0xe2 && hasText(body, PROFILE))
    .map(({ body }) => body.subarray(PROFILE.length))
    .sort((a, b) => a[0] - b[0]);
  const whole =
    parts.length > 0 && parts.every((part, i) => part[0] === i + 1 && part[1] === parts.length);
  return whole ? concat(parts.map((part) => part.subarray(2))) : null;
}

/**
 * Decode the pixels. Profile and orientation are left out of what the browser is given, so that no
 * browser applies them; the segment of Adobe says how colours are coded.
 */
async function decode(segments, { width, height, gray }) {
  if (!canvasIsExact()) {
    throw new ImageError(
      "this browser changes the pixels that pages read, as a protection against tracking, so that " +
        "a JPEG cannot be restored: allow it for this page, or take another browser",
    );
  }
  const kept = segments.filter(({ marker }) => !isMetadata(marker) || marker === ADOBE);
  const file = [
    Uint8Array.of(0xff, 0xd8),
    ...kept.map(({ whole }) => whole),
    Uint8Array.of(0xff, EOI),
  ];
  try {
    const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
    const bitmap = await createImageBitmap(new Blob(file, { type: "image/jpeg" }), options);
    if (bitmap.width !== width || bitmap.height !== height) throw new Error("another size");
    const channels = gray ? 1 : 3;
    return { pixels: pixelsOf(bitmap, channels), channels, bits: 8, alpha: null };
  } catch {
    throw new ImageError("damaged image: the browser cannot decode this JPEG");
  }
}

/** Tell whether the browser gives the pixels of a canvas back as they are. */
function canvasIsExact() {
  const side = 16;
  const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  const samples = Uint8ClampedArray.from({ length: 4 * side * side }, (_, i) =>
    i % 4 === 3 ? 255 : (37 * i) & 255,
  );
  context.putImageData(new ImageData(samples, side), 0, 0);
  const { data } = context.getImageData(0, 0, side, side);
  return data.every((value, i) => value === samples[i]);
}

function pixelsOf(bitmap, channels) {
  const { width, height } = bitmap;
  const pixels = new Uint8Array(width * height * channels);
  const canvas = new OffscreenCanvas(width, Math.min(STRIP, height));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let top = 0; top < height; top += STRIP) {
    context.drawImage(bitmap, 0, -top);
    const { data } = context.getImageData(0, 0, width, Math.min(STRIP, height - top));
    const start = top * width * channels;
    for (let i = 0; i < data.length / 4; i++) {
      for (let c = 0; c < channels; c++) pixels[start + channels * i + c] = data[4 * i + c];
    }
  }
  bitmap.close();
  return pixels;
}
