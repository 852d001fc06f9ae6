/** Numbers in words. */

/** Return a number of bytes as people read it. */
export function bytes(count) {
  if (count < 1000) return `${count} bytes`;
  const [unit, size] = count < 1e6 ? ["kB", 1e3] : ["MB", 1e6];
  const value = count / size;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** Return a duration, without false precision. */
export function duration(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return counted(Math.round(seconds), "second");
  return counted(Math.round(seconds / 60), "minute");
}

/** Return a number with its noun. */
export function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Return a size in pixels. */
export function pixels([width, height]) {
  return `${width} × ${height} pixels`;
}

/** Return the name of the restored file: as the command names it. */
export function restoredName(name) {
  return `${name.replace(/\.[^.]*$/, "") || "image"}_restored.png`;
}
