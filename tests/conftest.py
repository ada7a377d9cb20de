"""Settings of all tests."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

from tests.credential_watch import pytest_configure  # noqa: F401 the plugin that looks for credentials

# A busy machine is no failure: speed is measured in bench/, never in tests. CI tries the same examples each time, so
# that it tells of the change under test; everybody else looks for new ones.
settings.register_profile("shardpress", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("shardpress")

# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts and ends by it.
signal.signal(signal.SIGINT, signal.default_int_handler)
