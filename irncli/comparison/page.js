"use strict";
(() => {
  const viewer = document.getElementById("viewer");
  const frame = viewer.querySelector(".window");
  const stage = viewer.querySelector(".stage");
  const divider = viewer.querySelector(".divider");
  const picture = stage.querySelector(".whole");
  const width = Number(picture.getAttribute("width"));
  const height = Number(picture.getAttribute("height"));
  const chosen = (name) => viewer.querySelector(`input[name=${name}]:checked`).value;

  function divide() {
    stage.style.setProperty("--at", `${divider.value}%`);
    const share = Math.round(Number(divider.value));
    divider.setAttribute("aria-valuetext", `A ${share} %, B ${100 - share} %`);
  }

  /* One pixel of the picture is a whole number of pixels of the screen, or all of it fits. */
  function resize() {
    const zoom = chosen("zoom");
    const dots = window.devicePixelRatio || 1;
    const room = Math.max(120, 0.82 * window.innerHeight);
    const fit = Math.min(frame.clientWidth, (room * width) / height);
    const wide = zoom === "fit" ? fit : (Number(zoom) * width) / dots;
    stage.style.width = `${wide}px`;
    stage.classList.toggle("large", wide * dots >= 2 * width);
  }

  function choose(name, value) {
    viewer.querySelector(`input[name=${name}][value="${value}"]`).checked = true;
  }

  function show() {
    viewer.dataset.view = chosen("view");
  }

  /* A place in shares of the picture comes to the middle, with the divider through it. */
  function visit(x, y) {
    choose("zoom", "4");
    choose("view", "slider");
    show();
    resize();
    divider.value = 100 * x;
    divide();
    frame.scrollLeft = x * stage.clientWidth - frame.clientWidth / 2;
    frame.scrollTop = y * stage.clientHeight - frame.clientHeight / 2;
    viewer.scrollIntoView({ block: "start" });
    divider.focus({ preventScroll: true });
  }

  /* The pointer moves it smoothly; arrow keys go by one in a hundred, not by the pointer's step. */
  function step(event) {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    divider.value = Number(divider.value) + steps[event.key];
    divide();
  }

  divider.addEventListener("input", divide);
  divider.addEventListener("keydown", step);
  viewer.addEventListener("change", (event) => {
    if (event.target.name === "view") show();
    if (event.target.name === "zoom") resize();
    if (event.target.name === "frames") stage.classList.toggle("unmarked", !event.target.checked);
  });
  for (const button of document.querySelectorAll("button[data-x]")) {
    button.addEventListener("click", () => visit(Number(button.dataset.x), Number(button.dataset.y)));
  }
  window.addEventListener("resize", resize);
  /* A browser that reloads a page may restore what was chosen. */
  show();
  divide();
  resize();
})();
