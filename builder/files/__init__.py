"""Files as such: whole or not at all, and formats of arrays."""
