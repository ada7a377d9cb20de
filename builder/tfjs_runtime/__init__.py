"""TensorFlow.js as one file of the bundle, with only what the models and their pages use."""
