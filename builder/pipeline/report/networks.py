"""Networks as browsers' developer tools simulate them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """A network: its name, bytes a second over all connections, and seconds before each answer."""

    name: str
    rate: float
    latency: float


def networks() -> tuple[Network, ...]:
    """Return the profiles, slowest first."""
    return Network("3g", 50_000, 2.0), Network("slow-4g", 180_000, 0.5625), Network("fast-4g", 1_012_500, 0.165)
