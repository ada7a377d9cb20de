"""Conversion by TensorFlow, in worker processes."""
