/** Networks under ONNX Runtime Web: on the GPU if there is one and it computes the same, or else as WASM. */

const FOLDER = new URL("./ort/", import.meta.url).href;

/** Side of the image with which a GPU is checked, in LR pixels; a multiple of every cell. */
const CHECKED = 24;
/** Largest difference of the GPU from the processor: a quarter of a code value of 8 bits. */
const TOLERANCE = 0.25 / 255;
/** Threads beyond this number bring little. */
const MOST_THREADS = 8;

const networks = new Map();
let adapter;

/**
 * Return a function that runs a model, and the device in words; both are kept for the next image.
 * @param {object} model an entry of models.json
 * @param {boolean} gpu use a GPU if there is one
 * @param {() => void} onGpu called before a GPU is used
 */
export async function networkOf(model, gpu, onGpu) {
  if (gpu) adapter ??= await hardware();
  if (adapter) onGpu();
  if (!networks.has(model.file)) networks.set(model.file, await load(model, Boolean(adapter)));
  return networks.get(model.file);
}

/** Return the adapter of a GPU; false if there is none, or if software stands in for it. */
async function hardware() {
  try {
    const found = await navigator.gpu?.requestAdapter();
    return found && !found.info?.isFallbackAdapter && !found.isFallbackAdapter && found;
  } catch {
    return false;
  }
}

async function load(model, gpu) {
  const runtime = await import(`${FOLDER}${gpu ? "ort.webgpu.min.mjs" : "ort.wasm.min.mjs"}`);
  const threads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
  runtime.env.wasm.numThreads = threads;
  runtime.env.wasm.wasmPaths = FOLDER;
  runtime.env.logLevel = "error";
  const data = await content(model);
  if (gpu) return { run: await checked(runtime, model, data), device: "on the GPU" };
  const device = threads === 1 ? "on one thread" : `on ${threads} threads`;
  return { run: runnerOf(runtime, await session(runtime, data, "wasm"), model), device };
}

async function content(model) {
  const response = await fetch(model.file).catch(() => null);
  if (!response?.ok) {
    throw new Error(`the file ${model.file} of this page could not be loaded: is the server there?`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

function session(runtime, data, provider) {
  return runtime.InferenceSession.create(data, { executionProviders: [provider] });
}

function runnerOf(runtime, network, model) {
  return async (lr, z, height, width) => {
    const { cell, latent_channels: channels } = model;
    const tensors = {
      lr: new runtime.Tensor("float32", lr, [1, lr.length / (height * width), height, width]),
      z: new runtime.Tensor("float32", z, [1, channels, height / cell, width / cell]),
    };
    const { hr } = await network.run(tensors);
    const values = await hr.getData();
    hr.dispose();
    return values;
  };
}

/** Return a runner on the GPU, after comparing it with the processor: drivers have errors. */
async function checked(runtime, model, data) {
  const sessions = [await session(runtime, data, "wasm"), await session(runtime, data, "webgpu")];
  const [expected, found] = sessions.map((each) => runnerOf(runtime, each, model));
  const { lr, z } = sample(model);
  const [wanted, got] = [await expected(lr, z, CHECKED, CHECKED), await found(lr, z, CHECKED, CHECKED)];
  await sessions[0].release();
  if (!wanted.every((value, i) => Math.abs(value - got[i]) <= TOLERANCE)) {
    throw new Error("the GPU computes something else than the processor");
  }
  return found;
}

/** Return an image that has all that a network meets: smooth and rough, dark and bright. */
function sample({ task, cell, latent_channels: channels }) {
  const lr = new Float32Array((task === "color" ? 1 : 3) * CHECKED * CHECKED);
  for (let i = 0; i < lr.length; i++) lr[i] = 0.5 + 0.3 * Math.sin(i / 7) + 0.2 * Math.sin(i * i);
  return { lr, z: new Float32Array(channels * (CHECKED / cell) ** 2) };
}
