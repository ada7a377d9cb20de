"""The proof that TensorFlow.js runs a bundle."""
