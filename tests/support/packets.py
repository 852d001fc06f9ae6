"""XMP of other people, and a tag to put into it."""

from irncli.io.tag import Tag

TAG = Tag(
    task="rescale",
    model="irn-x4",
    weights_sha256="a" * 64,
    scale=4,
    hr_size=(7, 9),
    bits=8,
    content_sha256="b" * 64,
    temperature=1,
)
OTHERS = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/png">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Caf\xc3\xa9 &amp; sea</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
