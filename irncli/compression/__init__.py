"""Images in few bytes: the network with a codec, plain codecs, and the search for a quality."""
