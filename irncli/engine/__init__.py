"""The engine, which runs networks on images in bounded memory, on any device."""
