"""XMP packets: parsing, writing, and the properties that no longer hold in another file.

A packet is untrusted input, so its size and structure are limited.

Source: XMP specification, parts 1 and 3; Ultra HDR image format and Motion photo format, Google,
for the properties that describe other content of a file.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from io import BytesIO

from defusedxml import DefusedXmlException
from defusedxml import ElementTree as SafeET

from irncli.errors import TagError

__all__ = [
    "META",
    "RDF",
    "checked_xmp",
    "descriptions",
    "parse",
    "rdf_of",
    "remove_properties",
    "serialise",
    "serialise_unless_empty",
]

MAX_XMP_BYTES = 16 << 20
MAX_ELEMENTS = 1_000_000
"""Largest number of elements and attributes of a packet, counted together."""
MAX_DEPTH = 100
MAX_PREFIXES = 200

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
META = "adobe:ns:meta/"
_PREFIXES = {"rdf": RDF, "x": META}

_GOOGLE = "http://ns.google.com/photos/1.0"
_ELSEWHERE = {
    "http://ns.adobe.com/hdr-gain-map/1.0/": ("hdrgm", r".*"),
    f"{_GOOGLE}/container/": ("Container", r".*"),
    f"{_GOOGLE}/container/item/": ("Item", r".*"),
    f"{_GOOGLE}/camera/": ("GCamera", r"MotionPhoto.*|MicroVideo.*"),
    "http://ns.google.com/photos/dd/1.0/device/": ("Device", r".*"),
    "http://ns.oplus.com/photos/1.0/camera/": ("OpCamera", r"MotionPhoto.*|VideoLength"),
    "http://ns.apple.com/HDRGainMap/1.0/": ("HDRGainMap", r".*"),
    "http://ns.apple.com/pixeldatainfo/1.0/": ("apdi", r".*"),
    "http://ns.adobe.com/xmp/note/": ("xmpNote", r"HasExtendedXMP"),
}
"""Properties that describe a gain map, a video or more XMP elsewhere in the file: by namespace, the
usual prefix and the names."""
_WITH_DATA = {
    f"{_GOOGLE}/depthmap/": "GDepth",
    f"{_GOOGLE}/image/": "GImage",
    f"{_GOOGLE}/audio/": "GAudio",
}
"""Namespaces whose property Data holds the content; in a JPEG, it is in the extended XMP."""


class _Packet(BytesIO):
    """A packet that is read in large pieces: expat rescans an incomplete tag for each piece."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(-1 if size is None or size < 0 else max(size, 1 << 20))


def parse(xmp: bytes) -> ET.Element:
    """Return the root of a packet after registering the prefixes that the packet uses.

    Raises:
        TagError: the packet is too large, is not well-formed, or has a document type, whose default
            attributes and entities can expand a few kilobytes to gigabytes.
    """
    if len(xmp) > MAX_XMP_BYTES:
        raise TagError(f"XMP of {len(xmp)} bytes, expected at most {MAX_XMP_BYTES}")
    try:
        root, prefixes = _checked(_Packet(xmp.rstrip(b"\x00 \r\n\t")))
    except TagError:
        raise
    except DefusedXmlException as error:
        raise TagError("the XMP of this file has a document type, which XMP never has") from error
    except (ET.ParseError, ValueError, LookupError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TagError(f"the XMP of this file cannot be read: {reason}") from error
    for prefix, uri in prefixes.items():
        ET.register_namespace(prefix, uri)
    return root


def _checked(packet: _Packet) -> tuple[ET.Element, dict[str, str]]:
    """Return the root and the prefixes of a packet; refuse one that is too deep or too large."""
    prefixes: dict[str, str] = {}
    opened: list[ET.Element] = []
    root: ET.Element | None = None
    count = 0
    events = ("start-ns", "start", "end")
    for event, found in SafeET.iterparse(packet, events=events, forbid_dtd=True):
        if event == "start":
            root = found if root is None else root
            opened.append(found)
            count += 1 + len(found.attrib)
        elif event == "end":
            opened.pop()
        elif found[0] and not re.fullmatch(r"ns\d+", found[0]):
            prefixes[found[0]] = found[1]
        if count > MAX_ELEMENTS or len(opened) > MAX_DEPTH or len(prefixes) > MAX_PREFIXES:
            raise TagError("the XMP of this file is nested too deeply or has too many elements")
    assert root is not None  # noqa: S101
    return root, prefixes


def rdf_of(root: ET.Element) -> ET.Element | None:
    """Return the element that contains the descriptions; None if there is none."""
    return root if root.tag == f"{{{RDF}}}RDF" else root.find(f"{{{RDF}}}RDF")


def descriptions(root: ET.Element) -> list[ET.Element]:
    """Return the elements that contain properties."""
    rdf = rdf_of(root)
    return [] if rdf is None else rdf.findall(f"{{{RDF}}}Description")


def remove_properties(root: ET.Element, unwanted: Callable[[str], bool]) -> list[str]:
    """Remove properties, and descriptions that contain nothing else; return the names removed."""
    rdf, removed = rdf_of(root), []
    for description in descriptions(root):
        keys = [key for key in description.attrib if unwanted(key)]
        children = [child for child in description if unwanted(child.tag)]
        for key in keys:
            del description.attrib[key]
        for child in children:
            description.remove(child)
        removed += [*keys, *(child.tag for child in children)]
        left = [key for key in description.attrib if key != f"{{{RDF}}}about"]
        changed = keys or children
        if rdf is not None and changed and not left and not len(description):
            rdf.remove(description)
    return removed


def serialise(root: ET.Element, prefixes: Mapping[str, str]) -> bytes:
    """Return a packet.

    Args:
        root: root of the packet.
        prefixes: namespaces by the prefixes that they must have.

    Raises:
        TagError: the packet becomes too large.
    """
    # Register these prefixes last, since a packet may have used them for something else.
    for prefix, uri in {**_PREFIXES, **prefixes}.items():
        ET.register_namespace(prefix, uri)
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=False)
    head = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'.encode()
    packet = head + body + b'\n<?xpacket end="w"?>'
    if len(packet) > MAX_XMP_BYTES:
        raise TagError(
            f"XMP of {len(packet)} bytes, including the irn tag: expected at most {MAX_XMP_BYTES}"
        )
    return packet


def serialise_unless_empty(root: ET.Element, prefixes: Mapping[str, str]) -> bytes | None:
    """Return a packet as `serialise` does; None if no description is left."""
    rdf = root.find(f"{{{RDF}}}RDF")
    if rdf is not None and not len(rdf):
        root.remove(rdf)
    return serialise(root, prefixes) if len(root) else None


def checked_xmp(xmp: bytes | None, notes: list[str]) -> bytes | None:
    """Return a packet without properties that describe content which irn leaves out of a file.

    A packet without such properties is returned unchanged, byte for byte.

    Args:
        xmp: packet of a file; None if there is none.
        notes: receives a sentence if properties were left out.
    """
    spaces = [space for space in (*_ELSEWHERE, *_WITH_DATA) if xmp and space.encode() in xmp]
    if not xmp or not spaces:
        return xmp
    try:
        root = parse(xmp)
        with_data = {
            space
            for space in _WITH_DATA
            if any(f"{{{space}}}Data" in _keys(each) for each in descriptions(root))
        }

        def unwanted(key: str) -> bool:
            space, _, name = key[1:].partition("}")
            if space in _WITH_DATA:
                return space not in with_data
            return space in _ELSEWHERE and re.fullmatch(_ELSEWHERE[space][1], name) is not None

        removed = remove_properties(root, unwanted)
        if not removed:
            return xmp
        left = serialise_unless_empty(root, {})
    except TagError as error:
        notes.append(f"its XMP was left out: {error}")
        return None
    # What is said of XMP that continues elsewhere is enough.
    found = [name for name in dict.fromkeys(map(_prefix, removed)) if name != "xmpNote"]
    if found:
        notes.append(
            f"the XMP properties of {' and '.join(found)} were left out: they describe parts of "
            "the file that irn does not keep"
        )
    return left


def _keys(description: ET.Element) -> set[str]:
    return {*description.attrib, *(child.tag for child in description)}


def _prefix(key: str) -> str:
    space = key[1:].partition("}")[0]
    return _WITH_DATA[space] if space in _WITH_DATA else _ELSEWHERE[space][0]
