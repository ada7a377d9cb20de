"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no failure: speed is measured in bench/, never in tests.
settings.register_profile("shardpress", deadline=None)
settings.load_profile("shardpress")
