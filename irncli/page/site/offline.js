/** The service worker: it keeps the files for use without a network, and makes threads possible. */

/**
 * Register the service worker.
 *
 * A page that has just come under its control is loaded again, because threads are decided when a
 * page is loaded, and because a new version of the page should be seen.
 * @param {() => boolean} idle whether nothing would be lost by loading the page again
 * @param {(text: string) => void} say
 */
export async function keepOffline(idle, say) {
  if (!("serviceWorker" in navigator)) {
    say(isSecureContext ? "" : "Use without a network, and several threads, need https or localhost.");
    return;
  }
  const workers = navigator.serviceWorker;
  workers.addEventListener("controllerchange", () => {
    if (idle()) location.reload();
  });
  workers.addEventListener("message", ({ data }) => {
    if (data === "kept") say("Ready for use without a network.");
  });
  try {
    await workers.register("service_worker.js", { updateViaCache: "none" });
    if (!navigator.connection?.saveData) workers.controller?.postMessage("keep");
  } catch {
    say("Use without a network is not possible here: the browser refuses to keep files.");
  }
}
