/** The view of one file: what it is, the work, the result. */

import { Comparison, radios } from "./comparison.js";
import { bytes, counted, duration, pixels, restoredName } from "./words.js";

/** How often the progress is written as text; the bar moves at each step. */
const SAID_MS = 1000;

/** Indices of the images of a comparison. */
const [BICUBIC, RESTORED] = [0, 1];

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
    this.part("retry").addEventListener("click", onAgain);
    const form = this.element.querySelector("form");
    const seed = this.part("seed");
    this.draw = radios(this.part("draw"), [["0", "Same every time"], ["1", "At random"]], () => {
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
    const facts = [
      ["Small image", `${pixels([small.width, small.height])}, ${bytes(this.file.size)}`],
      ["Restored image", pixels(small.hrSize)],
      ["Model", model === null ? "none: the file holds the image itself" : modelText(tag)],
      small.intact
        ? ["Pixels", "as irn wrote them", "good"]
        : ["Pixels", "changed since irn wrote them", "changed"],
      ...(tag.bicubic === null ? [] : [["Without the network", blocksText(tag.bicubic)]]),
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
    for (const name of ["problem", "again", "actions", "options"]) this.part(name).hidden = true;
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
  showEnlarged(png, small) {
    this.#compare(small);
    this.#show(BICUBIC, png);
  }

  /** Show an image that was in the file itself: there is nothing to compare it with. */
  showItself(png, small) {
    this.#compare(small);
    this.part("result").classList.add("itself");
    this.#offer(this.#show(BICUBIC, png), bytes(png.length));
  }

  /** Show the result beside the enlargement. */
  showRestored(png, seconds, device) {
    const url = this.#show(RESTORED, png);
    this.part("result").classList.remove("single");
    this.#offer(url, `${bytes(png.length)}, restored in ${duration(seconds)} ${device}`);
  }

  #compare({ hrSize, tag }) {
    const words = tag.task === "color" ? ["Gray", "Colours restored"] : ["Bicubic", "Restored"];
    this.#comparison ??= new Comparison(this.part("result"), hrSize, this.file.name, words);
    this.part("result").hidden = false;
  }

  #offer(url, text) {
    this.part("work").hidden = true;
    Object.assign(this.part("save"), { href: url, download: restoredName(this.file.name) });
    this.part("took").textContent = text;
    this.part("actions").hidden = false;
  }

  /** Let the user draw the latent anew. */
  offerOptions() {
    this.part("options").hidden = false;
  }

  /** Say why there is no result. */
  fail(message) {
    this.#stop(message, false);
  }

  /** Say that the user has stopped it, and offer to go on. */
  cancelled() {
    this.#stop("cancelled", true);
  }

  #stop(message, calm) {
    this.part("work").hidden = true;
    const problem = this.part("problem");
    problem.textContent = sentence(message);
    problem.classList.toggle("calm", calm);
    problem.hidden = false;
    // What an earlier try has restored can still be seen and saved.
    const done = this.#urls[RESTORED] !== undefined;
    this.part("result").hidden = this.part("actions").hidden = this.part("options").hidden = !done;
    this.part("again").hidden = !calm || done;
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

function modelText(tag) {
  return tag.task === "color" ? `${tag.model}, for colours` : `${tag.model}, scale ${tag.scale}`;
}

/** Say how many blocks the guard has marked. */
function blocksText({ marked }) {
  const count = marked.filter(Boolean).length;
  return `${counted(count, "block")} of ${marked.length}, by plain interpolation`;
}

/** Return a message as a sentence: those of the command begin with a small letter. */
function sentence(text) {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

