/** Two images on top of each other with a divider, at any zoom. */

const ZOOMS = [["fit", "Fit"], ["1", "100 %"], ["2", "200 %"], ["4", "400 %"]];
const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

let count = 0;

/** Fill a fieldset with radio buttons; return a function that gives the value of the chosen one. */
export function radios(fieldset, choices, onChange) {
  const name = `choice-${++count}`;
  for (const [value, text] of choices) {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name, value });
    input.checked = value === choices[0][0];
    const span = Object.assign(document.createElement("span"), { textContent: text });
    label.append(input, span);
    fieldset.append(label);
  }
  fieldset.addEventListener("change", onChange);
  return () => fieldset.querySelector("input:checked").value;
}

export class Comparison {
  #size;
  #zoom;
  #words;

  /**
   * @param {Element} root with the elements of the template
   * @param {[number, number]} size of the images
   * @param {string} name of the file, for the texts that screen readers read
   * @param {[string, string]} words for what is on the left and on the right
   */
  constructor(root, size, name, words) {
    this.#size = size;
    this.#words = words;
    for (const part of ["mat", "window", "stage", "divider"]) this[part] = root.querySelector(`.${part}`);
    this.images = ["bicubic", "restored"].map((kind) => root.querySelector(`.whole.${kind}`));
    for (const [index, image] of this.images.entries()) {
      image.alt = `${name}: ${words[index].toLowerCase()}`;
      [image.width, image.height] = size;
    }
    root.querySelector(".tag.left").textContent = words[0];
    root.querySelector(".tag.right").textContent = words[1];
    this.window.setAttribute("aria-label", `${name}: images, can be scrolled`);
    this.divider.setAttribute("aria-label", `Divider: ${words.join(" on its left, ").toLowerCase()} on its right`);
    this.#zoom = radios(root.querySelector(".zoom"), ZOOMS, () => this.#resize());
    this.divider.addEventListener("input", () => this.#divide());
    this.divider.addEventListener("keydown", (event) => this.#step(event));
    this.window.addEventListener("scroll", () => this.#divide());
    new ResizeObserver(() => this.#resize()).observe(root);
  }

  /** One pixel of the image is a whole number of pixels of the screen, or all of it fits. */
  #resize() {
    const [width, height] = this.#size;
    const dots = devicePixelRatio || 1;
    const room = this.mat.parentElement.clientWidth;
    if (room === 0) return;
    const centre = this.#centre();
    const zoom = this.#zoom();
    const fit = Math.min(room, (0.72 * innerHeight * width) / height, (4 * width) / dots);
    const wide = zoom === "fit" ? fit : (Number(zoom) * width) / dots;
    this.stage.style.width = `${wide}px`;
    this.mat.style.width = `${Math.min(room, wide)}px`;
    this.stage.classList.toggle("enlarged", wide * dots >= 2 * width);
    const scrolls = wide > room || (wide * height) / width > this.window.clientHeight + 1;
    this.mat.classList.toggle("scrolls", scrolls);
    this.window.tabIndex = scrolls ? 0 : -1;
    this.#moveTo(centre);
    this.#divide();
  }

  /** Return the point of the images in the middle of the window, as shares. */
  #centre() {
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = this.window;
    const { offsetWidth, offsetHeight } = this.stage;
    return [(scrollLeft + clientWidth / 2) / (offsetWidth || 1), (scrollTop + clientHeight / 2) / (offsetHeight || 1)];
  }

  #moveTo([x, y]) {
    this.window.scrollLeft = x * this.stage.offsetWidth - this.window.clientWidth / 2;
    this.window.scrollTop = y * this.stage.offsetHeight - this.window.clientHeight / 2;
  }

  /** The divider stays in view; the images move below it. */
  #divide() {
    const share = Number(this.divider.value) / 100;
    const at = share * this.window.clientWidth;
    this.mat.style.setProperty("--at", `${at}px`);
    this.stage.style.setProperty("--cut", `${at + this.window.scrollLeft - this.stage.offsetLeft}px`);
    const percent = Math.round(100 * share);
    this.divider.setAttribute("aria-valuetext", `${this.#words[0]} ${percent} %, ${this.#words[1]} ${100 - percent} %`);
  }

  /** Keys go by one in a hundred, not by the small step of the pointer. */
  #step(event) {
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    this.divider.value = Number(this.divider.value) + STEPS[event.key];
    this.#divide();
  }
}
