"""Weights into compressed shards: segments, shards, brotli."""
