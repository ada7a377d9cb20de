"""Make word vectors from text files to begin with: ``python make_model.py YOUR_TEXT.txt …``.

Words that stand near the same words get vectors of one direction. Needs numpy only. Without files it takes a few
sentences of its own, which show how it works and not much more; for a language take GloVe or fastText vectors.
"""

import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np

near, most_words, dim = 4, 5000, 32
animals, foods = ("cat", "dog", "horse", "cow", "rabbit"), ("bread", "cheese", "soup", "rice", "cake")
sentences = [
    text.format(animal=animal, food=food)
    for animal in animals
    for food in foods
    for text in (
        "the {animal} runs over the field and sleeps under a tree",
        "a {animal} has four legs and a warm fur",
        "she eats {food} with a spoon and drinks water",
        "he cooks fresh {food} in the kitchen for dinner",
    )
]


def vectors_of(text):
    """Give words by frequency, and a unit vector for each: the main directions of which words stand together."""
    tokens = re.findall(r"\w+", text.lower())
    words = [word for word, _ in Counter(tokens).most_common(most_words)]
    number = {word: at for at, word in enumerate(words)}
    together = np.zeros((len(words), len(words)))
    for at, word in enumerate(tokens):
        for other in tokens[max(0, at - near) : at]:
            if word in number and other in number:
                together[number[word], number[other]] += 1
                together[number[other], number[word]] += 1
    expected = together.sum(1, keepdims=True) * together.sum(0, keepdims=True) / together.sum()
    surprise = np.log(np.maximum(1.0, together / np.maximum(expected, 1e-9)))
    left, sizes, _ = np.linalg.svd(surprise)
    found = left[:, :dim] * np.sqrt(sizes[:dim])
    return words, found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


if __name__ == "__main__":
    text = "\n".join(Path(name).read_text(encoding="utf-8") for name in sys.argv[1:]) or "\n".join(sentences)
    words, vectors = vectors_of(text)
    Path("models").mkdir(exist_ok=True)
    rows = [f"{word} {' '.join(f'{value:.5f}' for value in row)}" for word, row in zip(words, vectors, strict=True)]
    Path("models/words.vec").write_text(f"{len(words)} {vectors.shape[1]}\n" + "\n".join(rows) + "\n", encoding="utf-8")
