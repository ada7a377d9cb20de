"""Compares the tokenizers of pages with the Python package: ids of 10,000 lines in more than twenty languages.

    python bench/tokens.py                       # tokenizers trained on the spot, a kind each
    python bench/tokens.py a/tokenizer.json …    # published ones
    python bench/tokens.py --lines 1000

Lines are TypeScript's translated messages, Unicode's names of regions, languages and currencies, this project's
documents, and emoji; tokenizers are trained on a sample of them. For each tokenizer it prints how many lines have other
ids, what its vocabulary takes with brotli, and milliseconds of opening it and of encoding all lines under Node. It ends
with 1 where an id differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import brotli

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tokenizers import Tokenizer

from builder.tokens.read import parse_tokenizer
from tests.helpers.token_cases import in_node, kinds, lines, odd, reference, texts


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--lines", type=int, default=10_000)
    options = parser.parse_args()
    some = [*lines(options.lines, 7), *odd]
    print(f"{len(some)} lines of {len(texts())} kinds: {', '.join(texts())}")
    print(f"{'tokenizer':40} {'ids':>8} {'wrong':>6} {'brotli':>9} {'open':>8} {'encode':>9}")
    wrong = 0
    named = {str(file)[-40:]: (lambda file=file: Tokenizer.from_file(str(file))) for file in options.files} or kinds
    for name, make in named.items():
        tokenizer = make()
        if options.files:
            tokenizer.no_padding()
            tokenizer.no_truncation()
        content = tokenizer.to_str()
        with tempfile.TemporaryDirectory() as folder:
            found, opening, encoding = in_node(content, [[text] for text in some], Path(folder))
        bad = [text for text, got in zip(some, found, strict=True) if got != reference(tokenizer, [text])]
        wrong += len(bad)
        spec = parse_tokenizer(content.encode(), name)
        size = len(brotli.compress(spec.vocabulary, quality=9))
        print(
            f"{name:40} {tokenizer.get_vocab_size():8} {len(bad):6} {size / 1000:6.0f} kB "
            f"{opening:5.0f} ms {encoding:6.0f} ms",
            flush=True,
        )
        for text in bad[:3]:
            print("   ", ascii(text)[:100])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
