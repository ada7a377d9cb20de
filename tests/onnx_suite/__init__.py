"""The tests that the onnx package ships, and what becomes of them on the whole way into TensorFlow.js."""
