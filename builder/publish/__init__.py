"""Releases on their way from ``dist/`` to a target, and what is done with them there. Needs no TensorFlow."""
