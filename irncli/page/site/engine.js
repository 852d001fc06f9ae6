/** The worker that restores images: one image at a time, started when it is needed. */

/** An image whose restoring was cancelled. */
export class Cancelled extends Error {}

export class Engine {
  #worker = null;
  #gpu = true;
  #cancel = null;

  /**
   * Restore an image.
   * @param {object} job what worker.js takes, without `gpu`
   * @param {{onEnlarged: (png: Uint8Array) => void, onProgress: (share: number) => void}} handlers
   * @returns {Promise<{png: Uint8Array, device: string}>}
   */
  async restore(job, handlers) {
    try {
      return await this.#run({ ...job, gpu: this.#gpu }, handlers);
    } catch (error) {
      if (!error.onGpu) throw error;
      // Whatever went wrong there, the processor can do the same.
      this.#gpu = false;
      return this.#run({ ...job, gpu: false }, handlers);
    }
  }

  /** End the work at once. A network in the middle of a tile can only be stopped with its worker. */
  cancel() {
    this.#cancel?.(new Cancelled("cancelled"));
  }

  #run(job, { onEnlarged, onProgress }) {
    return new Promise((resolve, reject) => {
      const worker = (this.#worker ??= new Worker("worker.js", { type: "module" }));
      const fail = (error) => {
        worker.terminate();
        this.#worker = this.#cancel = null;
        reject(error);
      };
      this.#cancel = fail;
      worker.onerror = (event) => fail(new Error(event.message || "the worker could not be loaded"));
      worker.onmessage = ({ data }) => {
        if (data.kind === "enlarged") onEnlarged(data.png);
        if (data.kind === "progress") onProgress(data.share);
        if (data.kind === "error") fail(Object.assign(new Error(data.message), { onGpu: data.onGpu }));
        if (data.kind === "done") {
          this.#cancel = null;
          resolve(data);
        }
      };
      worker.postMessage(job);
    });
  }
}
