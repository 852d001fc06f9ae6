/** Restoring in a worker, so that the page stays quick. */

import { enlarge } from "./core/enlarge.js";
import { encodePng } from "./core/png.js";
import { restore } from "./core/restore.js";
import { networkOf } from "./runtime.js";

/**
 * Take a job: `small`, `model` (an entry of models.json, or null), `side`, `temperature`, `seed`,
 * `gpu` (use a GPU if there is one). Answer with `enlarged`, `progress` and `done`, or with `error`.
 */
self.onmessage = async ({ data: job }) => {
  let onGpu = false;
  const answer = (kind, values) => self.postMessage({ kind, ...values });
  try {
    const { small, model } = job;
    let network = null;
    if (model !== null) {
      answer("enlarged", { png: await encodePng(enlarge(small), small.metadata) });
      network = await networkOf(model, job.gpu, () => { onGpu = true; });
    }
    const image = await restore(small, model, {
      run: network?.run,
      side: job.side,
      temperature: job.temperature,
      seed: job.seed,
      onProgress: (share) => answer("progress", { share }),
    });
    answer("done", { png: await encodePng(image, small.metadata), device: network?.device });
  } catch (error) {
    answer("error", { message: error.message ?? String(error), onGpu });
  }
};
