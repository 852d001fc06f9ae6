/**
 * Reading of PNG files.
 *
 * Browsers reduce 16 bits to 8 and change colours under partial alpha, so the pixels are decoded
 * here.
 *
 * Source: PNG (Portable Network Graphics) specification, third edition.
 */

import { concat, hasText, inflate, latin1, uint32 } from "./bytes.js";
import { ImageError } from "./errors.js";
import { channelOf, isNeutral } from "./images.js";
import { SIGNATURE, XMP_KEYWORD, crc32, predicted } from "./png.js";

const MAX_TEXT = 16 << 20;
const MAX_PROFILE = 4 << 20;
const METRES_PER_INCH = 0.0254;
/** Types of the chunks that are kept: colours and text. */
const CARRIED = ["gAMA", "cHRM", "sRGB", "cICP", "mDCV", "cLLI", "tEXt", "zTXt", "iTXt"];
const MEANINGS = {
  ...{ tEXt: "text", zTXt: "text", iTXt: "text", gAMA: "gamma", cHRM: "gamma", sRGB: "gamma" },
  ...{ cICP: "gamma", iCCP: "colour profile", eXIf: "EXIF", tRNS: "transparency" },
  pHYs: "resolution",
};
/** Numbers of channels by colour type. */
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
const PALETTE = 3;
/** Passes of an interlaced file: first column, first row, horizontal step, vertical step. */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/** Tell whether a file is a PNG. */
export function isPng(bytes) {
  return SIGNATURE.every((byte, i) => bytes[i] === byte);
}

/**
 * Read everything but the pixels.
 * @param {Uint8Array} bytes
 */
export async function readPng(bytes) {
  const { chunks, damage } = soundChunks(bytes);
  const header = headerOf(chunks);
  const body = (kind) => chunks.find((chunk) => chunk.kind === kind)?.body ?? null;
  const icc = await profileIn(body("iCCP"));
  return {
    source: "png",
    width: header.width,
    height: header.height,
    gray: header.kind === 0 || header.kind === 4,
    frames: framesIn(body("acTL")),
    xmp: await xmpIn(chunks),
    exif: body("eXIf"),
    icc,
    density: densityIn(body("pHYs")),
    chunks: carried(chunks),
    damage,
    decode: () => decode(chunks, header, icc === null),
  };
}

/** Return the complete chunks, without ancillary ones that are damaged, which are reported. */
function soundChunks(bytes) {
  const chunks = [];
  const wrong = [];
  for (let at = SIGNATURE.length; at + 12 <= bytes.length;) {
    const length = uint32(bytes, at);
    const kind = latin1(bytes.subarray(at + 4, at + 8));
    const end = at + 8 + length;
    if (end + 4 > bytes.length || !/^[A-Za-z]{4}$/.test(kind)) break;
    const sound = kind === "IDAT" || crc32(bytes.subarray(at + 4, end)) === uint32(bytes, end);
    if (!sound && /^[A-Z]/.test(kind)) {
      throw new ImageError(`a damaged PNG: its chunk ${kind} has a wrong checksum`);
    }
    if (sound) chunks.push({ kind, body: bytes.subarray(at + 8, end) });
    else wrong.push(kind);
    if (kind === "IEND") break;
    at = end + 4;
  }
  return { chunks, damage: damageOf(wrong) };
}

function damageOf(wrong) {
  if (wrong.length === 0) return [];
  const one = wrong.length === 1;
  const named = [...new Set(wrong)].sort().map((kind) => {
    const meaning = MEANINGS[kind];
    return meaning === undefined ? kind : `${kind} (${meaning})`;
  });
  return [
    `its chunk${one ? "" : "s"} ${named.join(" and ")} ${one ? "has" : "have"} a wrong checksum, ` +
      `so ${one ? "it was" : "they were"} left out: the file is damaged`,
  ];
}

function headerOf(chunks) {
  const [first] = chunks;
  if (first?.kind !== "IHDR" || first.body.length !== 13) {
    throw new ImageError("a PNG that cannot be read: it is damaged, its header is missing");
  }
  const [depth, kind, compression, filters, interlaced] = first.body.subarray(8);
  if (!DEPTHS[kind]?.includes(depth) || compression || filters || interlaced > 1) {
    throw new ImageError("a PNG that cannot be read: its header is damaged");
  }
  return { width: uint32(first.body, 0), height: uint32(first.body, 4), depth, kind, interlaced };
}

function framesIn(body) {
  return body === null || body.length < 8 ? 1 : uint32(body, 0);
}

function densityIn(body) {
  if (body === null || body.length < 9 || body[8] !== 1) return null;
  return [uint32(body, 0) * METRES_PER_INCH, uint32(body, 4) * METRES_PER_INCH];
}

async function profileIn(body) {
  const name = body?.indexOf(0) ?? -1;
  if (name < 0) return null;
  const { bytes, complete } = await inflate(body.subarray(name + 2), MAX_PROFILE + 1);
  return complete && bytes.length > 0 ? bytes : null;
}

function isXmp({ kind, body }) {
  return kind === "iTXt" && hasText(body, `${XMP_KEYWORD}\0`);
}

async function xmpIn(chunks) {
  const found = chunks.find(isXmp);
  if (found === undefined) return null;
  const rest = found.body.subarray(XMP_KEYWORD.length + 1);
  // The compression flag and method are followed by a language tag and a translated keyword.
  const text = rest.subarray(rest.indexOf(0, rest.indexOf(0, 2) + 1) + 1);
  if (rest[0] === 0) return text;
  const { bytes } = await inflate(text, MAX_TEXT);
  return bytes;
}

function carried(chunks) {
  let size = 0;
  return chunks.filter((chunk) => {
    const kept =
      CARRIED.includes(chunk.kind) && !isXmp(chunk) && size + chunk.body.length <= MAX_TEXT;
    if (kept) size += chunk.body.length;
    return kept;
  });
}

/** Return the size of the pixels in a pass, and of its rows in bytes without their filter byte. */
function passesOf({ width, height, depth, kind, interlaced }) {
  const passes = interlaced ? PASSES : [[0, 0, 1, 1]];
  return passes
    .map(([left, top, across, down]) => {
      const columns = Math.ceil((width - left) / across);
      const rows = Math.ceil((height - top) / down);
      const stride = Math.ceil((columns * depth * CHANNELS[kind]) / 8);
      return { left, top, across, down, columns, rows, stride };
    })
    .filter(({ columns, rows }) => columns > 0 && rows > 0);
}

async function decode(chunks, header, unprofiled) {
  const passes = passesOf(header);
  const wanted = passes.reduce((size, { rows, stride }) => size + rows * (1 + stride), 0);
  const data = concat(chunks.filter(({ kind }) => kind === "IDAT").map(({ body }) => body));
  const { bytes } = await inflate(data, wanted);
  if (bytes.length < wanted) {
    throw new ImageError("damaged image: its pixels end before the last row");
  }
  const body = (kind) => chunks.find((chunk) => chunk.kind === kind)?.body ?? null;
  const samples = samplesOf(bytes, header, passes);
  const clear = body("tRNS");
  if (header.kind === PALETTE) return ofPalette(samples, body("PLTE"), clear, unprofiled);
  return ofChannels(samples, header, clear);
}

/** Return the samples of all pixels, as numbers of the depth of the file. */
function samplesOf(bytes, header, passes) {
  const { width, height, depth, kind } = header;
  const channels = CHANNELS[kind];
  const samples = new (depth === 16 ? Uint16Array : Uint8Array)(width * height * channels);
  const step = Math.max(1, (depth * channels) / 8);
  let at = 0;
  for (const pass of passes) {
    let above = new Uint8Array(pass.stride);
    for (let row = 0; row < pass.rows; row++) {
      const line = bytes.subarray(at + 1, at + 1 + pass.stride);
      unfilter(bytes[at], line, above, step);
      const start = ((pass.top + row * pass.down) * width + pass.left) * channels;
      spread(line, depth, channels, samples, start, pass);
      above = line;
      at += 1 + pass.stride;
    }
  }
  return samples;
}

function unfilter(kind, line, above, step) {
  if (kind > 4) throw new ImageError(`damaged image: a row has filter type ${kind}`);
  if (kind === 0) return;
  for (let i = 0; i < line.length; i++) {
    const left = i < step ? 0 : line[i - step];
    const corner = i < step ? 0 : above[i - step];
    line[i] += predicted(kind, left, above[i], corner);
  }
}

/** Write the samples of a row of a pass to their places. */
function spread(line, depth, channels, samples, start, { columns, across }) {
  const mask = (1 << depth) - 1;
  for (let i = 0; i < columns * channels; i++) {
    const bit = i * depth;
    const byte = bit >> 3;
    const value =
      depth === 16
        ? (line[byte] << 8) | line[byte + 1]
        : (line[byte] >> (8 - depth - (bit & 7))) & mask;
    samples[start + (i - (i % channels)) * across + (i % channels)] = value;
  }
}

function ofPalette(samples, palette, clear, unprofiled) {
  const count = (palette?.length ?? 0) / 3;
  if (count < 1 || !Number.isInteger(count)) {
    throw new ImageError("damaged image: its palette is missing or damaged");
  }
  const pixels = new Uint8Array(3 * samples.length);
  for (let i = 0; i < samples.length; i++) {
    // Indices beyond the palette are black, as other decoders show them.
    for (let c = 0; c < 3; c++) pixels[3 * i + c] = palette[3 * samples[i] + c] ?? 0;
  }
  const alpha = clear && Uint8Array.from(samples, (index) => clear[index] ?? 255);
  const image = { pixels, channels: 3, bits: 8, alpha };
  if (!unprofiled || !isNeutral(pixels, 3)) return image;
  return { ...image, pixels: channelOf(pixels, 3, 0), channels: 1 };
}

function ofChannels(samples, { depth, kind }, clear) {
  const all = CHANNELS[kind];
  const channels = all < 3 ? 1 : 3;
  const white = depth === 16 ? 65535 : 255;
  const factor = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
  const bits = depth === 16 ? 16 : 8;
  const count = samples.length / all;
  const make = (size) => new samples.constructor(size);
  let pixels = samples;
  let alpha = all > channels ? make(count) : null;
  if (alpha !== null) {
    pixels = make(count * channels);
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < channels; c++) pixels[channels * i + c] = samples[all * i + c];
      alpha[i] = samples[all * i + channels];
    }
  } else if (clear !== null && clear.length >= 2 * channels) {
    const key = Array.from({ length: channels }, (_, c) => (clear[2 * c] << 8) | clear[2 * c + 1]);
    alpha = make(count).map((_, i) =>
      key.every((v, c) => v === samples[channels * i + c]) ? 0 : white,
    );
  }
  if (factor > 1) pixels = pixels.map((value) => value * factor);
  return { pixels, channels, bits, alpha };
}
