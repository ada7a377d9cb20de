"""Write a small model to begin with: it takes a JPEG file and gives a smoother, livelier one.

Replace it by your own: any SavedModel with decoding and encoding in its graph, or without them.
"""

import tensorflow as tf

kernel = [1.0, 4.0, 6.0, 4.0, 1.0]
blur = tf.tensordot(kernel, kernel, 0) / 256.0


class Beautify(tf.Module):
    """Smooths what is nearly even, keeps edges, and lifts contrast."""

    def __init__(self):
        """Make the weights."""
        super().__init__()
        self.blur = tf.Variable(tf.tile(blur[:, :, None, None], [1, 1, 3, 1]))
        self.lift = tf.Variable(0.15)

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="photo")])
    def serve(self, photo):
        """Take the bytes of a JPEG file, give those of another."""
        picture = tf.cast(tf.io.decode_jpeg(photo, channels=3)[None], tf.float32) / 255.0
        soft = tf.nn.depthwise_conv2d(picture, self.blur, [1, 1, 1, 1], "SAME")
        edges = tf.reduce_max(tf.abs(picture - soft), axis=-1, keepdims=True)
        smooth = soft + tf.minimum(1.0, 12.0 * edges) * (picture - soft)
        lively = smooth + self.lift * (smooth - 0.5) * (1.0 - tf.square(2.0 * smooth - 1.0))
        pixels = tf.cast(tf.round(tf.clip_by_value(lively, 0.0, 1.0) * 255.0), tf.uint8)
        return {"better": tf.io.encode_jpeg(pixels[0], quality=95)}


if __name__ == "__main__":
    model = Beautify()
    tf.saved_model.save(model, "models/beautify", signatures={"serving_default": model.serve})
