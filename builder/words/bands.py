"""Bands: the runs of rows whose words are sorted."""

from __future__ import annotations

from collections.abc import Iterator

first_band = 64
growth = 4  # a band has a quarter of the rows before it


def bands(rows: int) -> Iterator[tuple[int, int]]:
    """Return the runs of rows whose words are sorted by bytes: short where frequency says much, long further on.

    A row is by this at most a quarter of its rank from its place in the source, and never out of the first 64.
    """
    start = 0
    while start < rows:
        stop = min(rows, start + max(first_band, start // growth))
        yield start, stop
        start = stop
