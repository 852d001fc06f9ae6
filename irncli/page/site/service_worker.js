/**
 * Answer with kept files, so that the page works without a network, and with headers that allow
 * threads (WebAssembly shares memory between them only on isolated pages).
 *
 * files.js lists the files with their hashes. It is written with the page, so a new version of the
 * page is a new service worker.
 */
"use strict";
importScripts("files.js");

const CACHE = `irn-page ${registration.scope}`;
/** Loaded only where they are used: what a GPU needs is large. */
const LATER = /^(models|ort)\//;
const FOR_GPU = /webgpu|asyncify/;
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};
/** The policy of the page does not hold for its workers; this one does. */
const SCRIPT_POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";

const keyOf = (name) => new URL(`${name}?${self.FILES[name]}`, registration.scope).href;
const isListed = (name) => Object.hasOwn(self.FILES, name);

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(Promise.all(Object.keys(self.FILES).filter((name) => !LATER.test(name)).map(keep)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});

self.addEventListener("message", (event) => {
  if (event.data === "keep") event.waitUntil(keepAll(event.source));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(registration.scope)) return;
  const url = new URL(request.url);
  const name = decodeURIComponent(url.pathname.slice(new URL(registration.scope).pathname.length)) || "index.html";
  if (isListed(name)) event.respondWith(answer(name));
});

/** Return a file with the headers, from the cache if it is there. */
async function answer(name) {
  const cache = await caches.open(CACHE);
  const found = (await cache.match(keyOf(name))) ?? (await keep(name));
  const headers = new Headers(found.headers);
  for (const [key, value] of Object.entries(HEADERS)) headers.set(key, value);
  if (/\.m?js$/.test(name)) headers.set("Content-Security-Policy", SCRIPT_POLICY);
  return new Response(found.body, { status: found.status, statusText: found.statusText, headers });
}

/**
 * Load a file, and keep it if it is the listed one: the server may have a newer page already, or
 * change what it sends.
 */
async function keep(name) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(keyOf(name));
  if (kept) return kept;
  const response = await fetch(new URL(name, registration.scope), { cache: "no-cache" });
  const data = await response.clone().arrayBuffer();
  if (response.ok && (await digest(data)) === self.FILES[name]) await cache.put(keyOf(name), response.clone());
  return response;
}

async function digest(data) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return [...hash.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Keep whatever a page without a network needs, and tell the page. */
async function keepAll(client) {
  const names = Object.keys(self.FILES).filter((name) => !FOR_GPU.test(name));
  // One after another: this is not urgent.
  for (const name of names) await keep(name);
  const cache = await caches.open(CACHE);
  const kept = await Promise.all(names.map((name) => cache.match(keyOf(name))));
  if (kept.every(Boolean)) client.postMessage("kept");
}

/** Delete what an older page has kept. */
async function forgetOthers() {
  const cache = await caches.open(CACHE);
  const wanted = new Set(Object.keys(self.FILES).map(keyOf));
  for (const request of await cache.keys()) if (!wanted.has(request.url)) await cache.delete(request);
}
