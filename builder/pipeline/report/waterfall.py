"""When a model's files arrive on a network: requests wait for the latency, and share the line."""

from __future__ import annotations

from dataclasses import dataclass

slots = 4  # of the loader: requests at a time


@dataclass(frozen=True, slots=True)
class Arrival:
    """One file: its group (``loader``, ``head`` or a stage), when it is asked for and when it is there, in seconds."""

    group: str
    start: float
    end: float


def simulate(groups: list[tuple[str, list[int]]], rate: float, latency: float) -> list[Arrival]:
    """Load files group by group, several at a time within one.

    Args:
        groups: a name and the wire bytes of its files; a group begins when the one before is there.
        rate: bytes a second of the whole line.
        latency: seconds before the first byte of each file.
    """
    arrivals = []
    now = 0.0
    for name, sizes in groups:
        found = _group(sizes, rate, latency)
        arrivals += [Arrival(name, now + start, now + end) for start, end in found]
        now += max((end for _, end in found), default=0.0)
    return arrivals


def _group(sizes: list[int], rate: float, latency: float) -> list[tuple[float, float]]:
    """Return start and end of each file; all that are under way share the line evenly."""
    times: list[tuple[float, float]] = [(0.0, 0.0)] * len(sizes)
    left: dict[int, float] = {}
    begun: dict[int, float] = {}
    waiting = list(range(len(sizes)))
    now = 0.0
    while waiting or left:
        while waiting and len(left) < slots:
            number = waiting.pop(0)
            left[number], begun[number] = float(sizes[number]), now
        flowing = [number for number in left if now >= begun[number] + latency - 1e-9]
        events = [begun[number] + latency - now for number in left if number not in flowing]
        share = rate / len(flowing) if flowing else 0.0
        events += [left[number] / share for number in flowing]
        step = max(0.0, min(events))
        now += step
        for number in flowing:
            left[number] -= share * step
            if left[number] <= 1e-6:
                times[number] = (begun[number], now)
                del left[number]
    return times
