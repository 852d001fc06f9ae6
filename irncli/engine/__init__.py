"""Images through networks in bounded memory, on any device."""
