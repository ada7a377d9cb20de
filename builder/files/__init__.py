"""Files: atomic writes, and formats of arrays."""
