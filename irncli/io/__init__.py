"""Image files: pixels and metadata, the tag, file names, and atomic writes."""
