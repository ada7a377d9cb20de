"""Whether a release's own TensorFlow.js serves every page that the live one serves."""

from __future__ import annotations

from collections.abc import Mapping

from ..bundle.index import Index, IndexEntry
from ..bundle.modules import runtime_name
from ..errors import ContractError
from .dist import Local


def check_runtime(local: Local, live: Index, entries: Mapping[str, IndexEntry]) -> None:
    """Refuse a release whose TensorFlow.js may not run all its models.

    Args:
        local: the bundle whose code goes live.
        live: index of the live release.
        entries: index entries of the release to be.

    Raises:
        ContractError: pages would break.
    """
    old = live.modules.get(runtime_name)
    new = local.index.modules.get(runtime_name)
    if old is None or old == new:
        return
    if new is None:
        raise ContractError(
            "pages may break: the live release brings TensorFlow.js with it and this bundle does not",
            code="SP-671",
            where="deploy",
            hint="Set [runtime] build = true, or deploy with --breaking if every page brings its own",
        )
    mine = {name: entry.head_sha256 for name, entry in local.index.models.items()}
    foreign = sorted(name for name, entry in entries.items() if mine.get(name) != entry.head_sha256)
    if foreign:
        raise ContractError(
            f"pages may break: this bundle's TensorFlow.js was not run with the live {', '.join(foreign)}",
            code="SP-671",
            where="deploy",
            hint="Deploy without --only from a bundle that has all models, or with --breaking if they need no more",
        )
