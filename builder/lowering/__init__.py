"""From another framework's operators to a TensorFlow.js graph: values, the layout they are stored in, and the nodes.

``onnx`` and ``tflite`` have one small function for each operator; all of them build their nodes with ``graph.Graph``.
"""
