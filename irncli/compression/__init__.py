"""Compression: the network combined with a codec, plain codecs, and the search for a quality."""
