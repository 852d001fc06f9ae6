"""Training: data, losses, step, loop, state."""
