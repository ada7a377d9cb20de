"""Settings of all tests."""

from __future__ import annotations

import signal

from hypothesis import settings

from tests.secrets import pytest_configure  # noqa: F401 the plugin that looks for credentials

# A busy machine is no failure: speed is measured in bench/, never in tests.
settings.register_profile("shardpress", deadline=None)
settings.load_profile("shardpress")

# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts and ends by it.
signal.signal(signal.SIGINT, signal.default_int_handler)
