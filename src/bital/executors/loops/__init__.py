"""The loop-nest form, and the lowering of Programs to it."""
