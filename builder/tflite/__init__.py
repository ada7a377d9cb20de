"""TensorFlow Lite models: read, checked, and lowered to a TensorFlow.js graph, an operator at a time."""
