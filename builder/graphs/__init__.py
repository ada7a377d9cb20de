"""Surgery on graphs before conversion: what TensorFlow.js lacks is found, cut off at the edges, or rewritten."""
