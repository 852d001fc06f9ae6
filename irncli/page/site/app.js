/** The page: takes files, restores them one after another, and shows them. */

import { Card } from "./card.js";
import { chooseModel } from "./core/restore.js";
import { readSmallImage } from "./core/small_image.js";
import { Cancelled, Engine } from "./engine.js";
import { budgetHere, chooseSide, largestMegapixels } from "./limits.js";
import { keepOffline } from "./offline.js";

const byId = (id) => document.getElementById(id);
const engine = new Engine();
const waiting = [];
let active = null;
/** Whether the file at work was cancelled or removed, perhaps while it was being read. */
let stopped = false;
let models = Promise.resolve([]);

function announce(text) {
  byId("status").textContent = text;
}

/** Load the list of models, and say what the page can restore. */
async function loadModels() {
  const response = await fetch("models.json").catch(() => null);
  if (!response?.ok) throw new Error("the list of models could not be loaded: is the server there?");
  const listing = await response.json();
  const names = listing.models.map(({ name }) => name).join(", ");
  byId("models").textContent = `Restores images of ${names}. Made by irn ${listing.irn_version}.`;
  return listing.models;
}

/** Take files, to be restored one after another. */
function add(files) {
  for (const file of files) {
    const card = new Card(file, {
      onCancel: () => cancel(card),
      onRemove: () => remove(card),
      onAgain: () => enqueue(card),
    });
    byId("cards").append(card.element);
    enqueue(card);
  }
  document.body.classList.toggle("filled", byId("cards").childElementCount > 0);
}

function enqueue(card) {
  card.work(active === null ? "Reading" : "Waiting for the other images");
  waiting.push(card);
  if (active === null) next();
}

/** Restore the next file that waits. */
async function next() {
  active = waiting.shift() ?? null;
  stopped = false;
  if (active === null) return;
  const { name } = active.file;
  try {
    announce(`${name}: restoring`);
    await restoreFile(active);
    announce(`${name}: restored`);
  } catch (error) {
    if (error instanceof Cancelled) active.cancelled();
    else active.fail(error.message);
    announce(`${name}: ${error.message}`);
  }
  next();
}

async function restoreFile(card) {
  card.work("Reading");
  const small = await readSmallImage(new Uint8Array(await card.file.arrayBuffer()));
  const model = chooseModel(small, await models);
  if (stopped) throw new Cancelled("cancelled");
  card.describe(small, model);
  const side = sideFor(small, model);
  card.work(model === null ? "Reading" : "Loading the network");
  const start = performance.now();
  const { seed } = card;
  const job = { small, model, side, seed: seed ?? "0", temperature: seed === null ? 0 : small.tag.temperature };
  const { png, device } = await engine.restore(job, {
    onEnlarged: (enlarged) => card.showEnlarged(enlarged, small),
    onProgress: (share) => card.progress(share),
  });
  if (model === null) {
    card.showItself(png, small);
  } else {
    card.showRestored(png, (performance.now() - start) / 1000, device);
    if (small.tag.temperature > 0) card.offerOptions();
  }
}

function sideFor(small, model) {
  const budget = budgetHere();
  const side = chooseSide(small, model, budget);
  if (side !== null) return side;
  const [width, height] = small.hrSize;
  const most = Math.floor(largestMegapixels(small, model, budget));
  throw new Error(
    `restored, it has ${width}x${height} pixels (${Math.round((width * height) / 1e6)} megapixels), and this ` +
      `browser has memory for about ${most} megapixels: restore it by the command 'irn upscale'`,
  );
}

function cancel(card) {
  if (card === active) stop();
  else if (forget(card)) card.cancelled();
}

function stop() {
  stopped = true;
  engine.cancel();
}

function remove(card) {
  if (card === active) stop();
  forget(card);
  const heir = card.element.nextElementSibling ?? card.element.previousElementSibling;
  card.remove();
  announce(`${card.file.name}: removed`);
  document.body.classList.toggle("filled", byId("cards").childElementCount > 0);
  // The focus would be lost with the button.
  (heir?.querySelector(".remove") ?? byId("files")).focus();
}

function forget(card) {
  const index = waiting.indexOf(card);
  if (index >= 0) waiting.splice(index, 1);
  return index >= 0;
}

function takeFiles(transfer) {
  const files = [...(transfer?.files ?? [])];
  if (files.length) add(files);
  return files.length > 0;
}

function listen() {
  const over = (event, is) => {
    event.preventDefault();
    document.body.classList.toggle("over", is);
  };
  document.addEventListener("dragover", (event) => over(event, true));
  document.addEventListener("dragleave", (event) => over(event, event.relatedTarget !== null));
  document.addEventListener("drop", (event) => {
    over(event, false);
    if (!takeFiles(event.dataTransfer)) announce("That was not a file: drop a PNG or JPEG file");
  });
  document.addEventListener("paste", (event) => takeFiles(event.clipboardData));
  byId("files").addEventListener("change", ({ target }) => {
    add([...target.files]);
    target.value = "";
  });
}

byId("stuck").remove();
byId("drop").hidden = false;
listen();
models = loadModels();
models.catch((error) => announce(error.message));
keepOffline(
  () => byId("cards").childElementCount === 0,
  (text) => { byId("offline").textContent = text; },
);
