"""Files: pixels and metadata, the tag, names, atomic writes."""
