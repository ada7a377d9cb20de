"""Hatchling's hook: what sdist and wheel of this package need beyond a copy of ``builder/`` and ``templates/``."""

from __future__ import annotations

import importlib
import sys
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
    """Adds the loader's bundled scripts, and to a wheel the templates; an editable install takes the checkout's."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add what is made: an installed package and an sdist need no Node.

        Args:
            version: ``editable`` or ``standard``.
            build_data: of hatchling; gets the files.
        """
        self._made = tempfile.TemporaryDirectory()
        folder, root = Path(self._made.name), Path(self.root)
        if self.target_name == "wheel" and version == "editable":
            file = folder / "__init__.py"
            file.write_text(stand_in.format(folder=str(root / "builder")), encoding="utf-8")
            build_data["force_include_editable"][str(file)] = "shardpress/__init__.py"
            return
        scripts = self._module("builder.bundle.scripts")
        made = folder / scripts.ready_name
        made.write_bytes(scripts.ready_scripts())
        included: dict[str, str] = build_data["force_include"]
        if self.target_name == "sdist":
            included[str(made)] = f"templates/{made.name}"
            return
        included[str(made)] = f"shardpress/templates/{made.name}"
        schema = folder / "build.schema.json"
        schema.write_bytes(self._module("builder.config.schema").schema_file())
        included[str(schema)] = f"shardpress/{schema.name}"
        sources = {*scripts.source_files(root / "templates"), root / "templates" / made.name}
        for path in sorted((root / "templates").rglob("*")):
            if path.is_file() and path not in sources and "__pycache__" not in path.parts:
                included[str(path)] = f"shardpress/{path.relative_to(root).as_posix()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what ``initialize`` made."""
        self._made.cleanup()

    def _module(self, name: str) -> Any:
        """Import a module of this checkout that needs no more than ``[build-system] requires``."""
        sys.path.insert(0, self.root)
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(self.root)
