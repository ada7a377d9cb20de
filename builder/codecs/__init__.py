"""Weights to planes and back, see docs/format.md."""
