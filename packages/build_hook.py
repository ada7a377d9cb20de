"""Hatchling's hook: what the wheel of this package needs beyond a copy of ``builder/`` and ``templates/``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

stand_in = '''"""Stands in for the installed package: the modules of shardpress are those of a checkout."""
from pathlib import Path
__path__ = [{folder!r}]
__file__ = {folder!r} + "/__init__.py"
exec(compile(Path(__file__).read_bytes(), __file__, "exec"))
'''


class BuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the templates to a wheel; an editable install takes them, as the modules, from the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the templates, or for an editable install what hatchling cannot: a package of another name.

        Args:
            version: ``editable`` or ``standard``.
            build_data: of hatchling; gets the files.
        """
        if self.target_name != "wheel":
            return
        if version != "editable":
            build_data["force_include"][str(Path(self.root) / "templates")] = "shardpress/templates"
            return
        self._made = tempfile.TemporaryDirectory()
        file = Path(self._made.name) / "__init__.py"
        file.write_text(stand_in.format(folder=str(Path(self.root) / "builder")), encoding="utf-8")
        build_data["force_include_editable"][str(file)] = "shardpress/__init__.py"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what ``initialize`` made."""
        if self.target_name == "wheel" and version == "editable":
            self._made.cleanup()
