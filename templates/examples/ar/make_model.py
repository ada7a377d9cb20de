"""Write a small model to begin with: it finds the place in a picture that stands out most in colour.

Replace it by your own: any model that takes a frame [1, height, width, 3] in 0..1 and gives places in 0..1.
"""

import tensorflow as tf

side = 64


class Tracker(tf.Module):
    """Blurs how colourful each pixel is, and gives the middle of the heap."""

    def __init__(self):
        """Make the weights."""
        super().__init__()
        self.colour = tf.Variable([[1.0, -0.5, -0.5], [-0.5, 1.0, -0.5], [-0.5, -0.5, 1.0]])
        self.blur = tf.Variable(tf.fill([5, 5, 1, 1], 1.0 / 25.0))
        self.sharpness = tf.Variable(60.0)

    @tf.function(input_signature=[tf.TensorSpec([1, side, side, 3], tf.float32, name="frame")])
    def serve(self, frame):
        """Give x and y of the place, and how sure that is."""
        colourful = tf.reduce_max(tf.tensordot(frame, self.colour, 1), axis=-1, keepdims=True)
        heap = tf.nn.conv2d(colourful, self.blur, 1, "SAME")
        shares = tf.reshape(tf.nn.softmax(self.sharpness * tf.reshape(heap, [1, -1])), [1, side, side])
        steps = (tf.range(side, dtype=tf.float32) + 0.5) / side
        x = tf.reduce_sum(tf.reduce_sum(shares, 1) * steps, 1)
        y = tf.reduce_sum(tf.reduce_sum(shares, 2) * steps, 1)
        return {"place": tf.stack([x, y], 1), "sure": tf.reduce_max(heap, [1, 2])}


if __name__ == "__main__":
    model = Tracker()
    tf.saved_model.save(model, "models/tracker", signatures={"serving_default": model.serve})
