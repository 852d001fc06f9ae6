/**
 * XMP packets: the properties of one namespace, and the packet without them.
 *
 * A packet is untrusted input, so its size is limited and document types are refused. DOMParser is
 * used, which workers lack.
 */

import { ImageError } from "./errors.js";

const MAX_XMP_BYTES = 16 << 20;
const RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const XMLNS = "http://www.w3.org/2000/xmlns/";
const HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n';
const END = '\n<?xpacket end="w"?>';

/** Return the root of a packet. */
function parse(xmp) {
  if (xmp.length > MAX_XMP_BYTES) {
    throw new ImageError(`XMP of ${xmp.length} bytes, expected at most ${MAX_XMP_BYTES}`);
  }
  const text = decoded(xmp);
  if (text.includes("<!DOCTYPE")) {
    throw new ImageError("the XMP of this file has a document type, which XMP never has");
  }
  const document = new DOMParser().parseFromString(text, "application/xml");
  if (document.getElementsByTagName("parsererror").length > 0) {
    throw new ImageError("the XMP of this file cannot be read: it is not well-formed");
  }
  return document.documentElement;
}

function decoded(xmp) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(xmp).replace(/[\0\s]+$/, "");
  } catch {
    throw new ImageError("the XMP of this file cannot be read: it is not UTF-8");
  }
}

function children(element, name) {
  return [...element.children].filter(
    (child) => child.namespaceURI === RDF && child.localName === name,
  );
}

function rdfOf(root) {
  const own = root.namespaceURI === RDF && root.localName === "RDF";
  return own ? root : children(root, "RDF")[0];
}

function descriptions(root) {
  const rdf = rdfOf(root);
  return rdf === undefined ? [] : children(rdf, "Description");
}

/** Return the attributes and child elements of an element that belong to a namespace. */
function properties(element, namespace) {
  const all = [...element.attributes, ...element.children];
  return all.filter((property) => property.namespaceURI === namespace);
}

/**
 * Return the properties of a namespace, by name.
 * @param {Uint8Array} xmp
 * @param {string} namespace
 * @returns {Map<string, string>}
 */
export function propertiesOf(xmp, namespace) {
  const found = new Map();
  for (const description of descriptions(parse(xmp))) {
    for (const property of properties(description, namespace)) {
      found.set(property.localName, property.textContent);
    }
  }
  return found;
}

/**
 * Return a packet without the properties of a namespace; null if nothing is left.
 * @param {Uint8Array} xmp
 * @param {string} namespace
 * @returns {string | null}
 */
export function withoutProperties(xmp, namespace) {
  const root = parse(xmp);
  const rdf = rdfOf(root);
  for (const description of descriptions(root)) removeFrom(description, namespace);
  for (const element of [root, rdf, ...descriptions(root)]) {
    if (element !== undefined) removeDeclarations(element, namespace);
  }
  if (rdf !== undefined && rdf !== root && rdf.children.length === 0) rdf.remove();
  if (root.children.length === 0) return null;
  return HEAD + new XMLSerializer().serializeToString(root) + END;
}

/** Remove properties from a description, and the description itself if it held nothing else. */
function removeFrom(description, namespace) {
  const unwanted = properties(description, namespace);
  for (const property of unwanted) {
    if (property instanceof Attr) description.removeAttributeNode(property);
    else property.remove();
  }
  const left = [...description.attributes].filter(
    (each) =>
      each.namespaceURI !== XMLNS && !(each.namespaceURI === RDF && each.localName === "about"),
  );
  const empty = left.length === 0 && description.children.length === 0;
  if (unwanted.length > 0 && empty) description.remove();
}

function removeDeclarations(element, namespace) {
  for (const attribute of [...element.attributes]) {
    const declares = attribute.namespaceURI === XMLNS && attribute.value === namespace;
    if (declares) element.removeAttributeNode(attribute);
  }
}
