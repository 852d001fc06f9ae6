/** The view of one file: what it is, the work, the result. */

import { Comparison, radios } from "./comparison.js";
import { bytes, counted, duration, pixels, restoredName } from "./words.js";

/** How often the progress is written as text; the bar moves at each step. */
const SAID_MS = 1000;

export class Card {
  #urls = [];
  #comparison = null;
  #start = 0;
  #said = 0;

  /**
   * @param {File} file
   * @param {{onCancel: () => void, onRemove: () => void, onAgain: () => void}} handlers
   */
  constructor(file, { onCancel, onRemove, onAgain }) {
    this.file = file;
    this.element = document.getElementById("card").content.firstElementChild.cloneNode(true);
    this.part("name").textContent = file.name;
    this.element.setAttribute("aria-label", file.name);
    this.part("remove").setAttribute("aria-label", `Remove ${file.name}`);
    this.part("cancel").addEventListener("click", onCancel);
    this.part("remove").addEventListener("click", onRemove);
    const form = this.element.querySelector("form");
    const seed = this.part("seed");
    this.draw = radios(this.part("draw"), [["0", "Without chance"], ["1", "With chance"]], () => {
      seed.hidden = this.draw() === "0";
    });
    seed.hidden = true;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onAgain();
    });
  }

  part(name) {
    return this.element.querySelector(`.${name}`);
  }

  /** Return what the user chose for the latent: null for z = 0, or the seed. */
  get seed() {
    return this.draw() === "0" ? null : this.element.querySelector(".seed input").value || "0";
  }

  /** Say what the file is. */
  describe(small, model) {
    const { tag } = small;
    const marked = tag.bicubic ? share(tag.bicubic) : 0;
    const facts = [
      ["Small image", `${pixels([small.width, small.height])}, ${bytes(this.file.size)}`],
      ["Restored", pixels(small.hrSize)],
      ["Model", model === null ? "none: the file holds the image itself" : `${tag.model}, scale ${tag.scale}`],
      small.intact
        ? ["Pixels", "as irn wrote them", "good"]
        : ["Pixels", "changed since irn wrote them", "changed"],
      ...(marked ? [["Restored by bicubic interpolation", `${marked} of the blocks`]] : []),
    ];
    const list = this.part("facts");
    list.replaceChildren(...facts.map(([term, text, kind]) => {
      const row = document.createElement("div");
      const [name, value] = ["dt", "dd"].map((tag) => document.createElement(tag));
      [name.textContent, value.textContent] = [term, text];
      if (kind) value.className = kind;
      row.append(name, value);
      return row;
    }));
    list.hidden = false;
    this.#warn(small.warnings);
  }

  #warn(warnings) {
    const list = this.part("warnings");
    list.replaceChildren(...warnings.map((text) => {
      return Object.assign(document.createElement("li"), { textContent: sentence(text) });
    }));
    list.hidden = warnings.length === 0;
  }

  /** Show that the work waits or goes on. */
  work(text) {
    this.#start = this.#said = 0;
    this.part("problem").hidden = this.part("actions").hidden = this.part("options").hidden = true;
    this.part("work").hidden = false;
    this.part("doing").textContent = text;
    const bar = this.element.querySelector("progress");
    bar.removeAttribute("value");
    bar.setAttribute("aria-label", `Restoring ${this.file.name}`);
  }

  /** Show how far the work is, a share from 0 to 1. */
  progress(done) {
    const now = performance.now();
    this.#start ||= now;
    // Without a measure of its speed, a bar at zero looks as if nothing happened.
    if (done > 0) this.element.querySelector("progress").value = done;
    if (now - this.#said < SAID_MS) return;
    this.#said = now;
    const left = done > 0 ? ((now - this.#start) * (1 - done)) / done / 1000 : 0;
    this.part("doing").textContent = left >= 1 ? `Restoring, about ${duration(left)} left` : "Restoring";
  }

  /** Show the bicubic enlargement while the network works. */
  showEnlarged(png, size) {
    this.#comparison ??= new Comparison(this.part("result"), size, this.file.name);
    this.#show(0, png);
    if (!this.#urls[1]) this.#show(1, png);
    this.part("result").hidden = false;
    this.part("result").classList.add("waits");
  }

  /** Show the result, and offer it. */
  showRestored(png, seconds, device) {
    const url = this.#show(1, png);
    this.part("result").classList.remove("waits");
    this.part("work").hidden = true;
    Object.assign(this.part("save"), { href: url, download: restoredName(this.file.name) });
    this.part("took").textContent = `${bytes(png.length)}, restored in ${duration(seconds)} ${device}`.trim();
    this.part("actions").hidden = false;
  }

  /** Let the user draw the latent anew. */
  offerOptions() {
    this.part("options").hidden = false;
  }

  /** Say why there is no result. */
  fail(message) {
    this.part("work").hidden = true;
    const problem = this.part("problem");
    problem.textContent = sentence(message);
    problem.hidden = false;
    const done = this.#urls.length > 1 && !this.part("result").classList.contains("waits");
    this.part("result").hidden = !done;
    this.part("actions").hidden = !done;
  }

  /** Free what the card holds. */
  remove() {
    this.#urls.forEach((url) => URL.revokeObjectURL(url));
    this.element.remove();
  }

  #show(index, png) {
    if (this.#urls[index]) URL.revokeObjectURL(this.#urls[index]);
    this.#urls[index] = URL.createObjectURL(new Blob([png], { type: "image/png" }));
    this.#comparison.images[index].src = this.#urls[index];
    return this.#urls[index];
  }
}

/** Return a message as a sentence: those of the command begin with a small letter. */
function sentence(text) {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

function share(blocks) {
  const cells = [...(blocks.values ?? blocks)].flat();
  const marked = cells.filter(Boolean).length;
  return marked ? `${Math.max(1, Math.round((100 * marked) / cells.length))} %` : 0;
}
