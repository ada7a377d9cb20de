"""What a deploy encodes itself."""

from __future__ import annotations

import brotli
import pytest

from builder.bundle.render import render_loader
from builder.stores import encoding

shipped = encoding.quality  # the other fast tests have a quicker one


@pytest.mark.parametrize("name", ["br", "gzip"])
def test_a_loader_is_encoded_as_well_as_can_be_and_decodes_to_itself(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = encoding.encode(loader := render_loader({"format": 1, "release": "0" * 16, "models": {}}), name)
    monkeypatch.setattr(encoding, "quality", shipped)
    encoded = encoding.encode(loader, name)
    assert encoding.decode(encoded, name) == encoding.decode(quick, name) == loader
    if name == "br":
        assert len(encoded) == len(brotli.compress(loader, quality=11)) < len(quick)
