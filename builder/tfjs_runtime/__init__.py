"""TensorFlow.js as one file of the bundle, with nothing in it that the models and their pages do not use."""
