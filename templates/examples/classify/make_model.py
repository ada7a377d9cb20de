"""Train a small classifier to begin with: circles, squares and triangles. Replace it by your own.

Any model that takes pictures [n, height, width, 3] in 0..1 and gives a probability for each label does.
"""

from pathlib import Path

import keras
import numpy as np

size = 32
names = ("circle", "square", "triangle")
chance = np.random.default_rng(1)


def draw(kind):
    """Draw one shape of random place, size and colours: [size, size, 3] in 0..1."""
    radius = chance.uniform(6, 12)
    y, x = np.mgrid[:size, :size] - chance.uniform(13, 19, 2)[:, None, None]
    inside = {
        "circle": x**2 + y**2 < radius**2,
        "square": np.maximum(abs(x), abs(y)) < radius * 0.85,
        "triangle": (y < radius * 0.8) & (y > 2 * abs(x) - radius),
    }[kind]
    ground, colour = chance.uniform(0, 1, (2, 3))
    while abs(ground - colour).max() < 0.4:
        ground, colour = chance.uniform(0, 1, (2, 3))
    return np.where(inside[:, :, None], colour, ground) + chance.normal(0, 0.03, (size, size, 3))


if __name__ == "__main__":
    keras.utils.set_random_seed(1)
    answers = np.arange(1500) % len(names)
    pictures = np.stack([draw(names[answer]) for answer in answers]).astype("float32")
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((size, size, 3), name="picture"),
            layers.Conv2D(16, 3, 2, "same", activation="relu"),
            layers.Conv2D(32, 3, 2, "same", activation="relu"),
            layers.Conv2D(32, 3, 2, "same", activation="relu"),
            layers.Flatten(),
            layers.Dense(len(names), activation="softmax", name="scores"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(pictures, answers, batch_size=32, epochs=12, verbose=2)
    model.export("models/shapes")
    Path("models/labels.txt").write_text("\n".join(names) + "\n")
