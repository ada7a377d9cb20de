"""Which web framework a project is made with: what its bundler empties, what it serves as it is, what to add to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from ..program import program

own_out = "models-dist"  # no bundler empties it
plugin = "vite-plugin-shardpress"
old_static = "src/assets"  # of Angular before 17, at /assets/
loader = "loader.js"  # what a published bundle has


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework as ``init`` knows it.

    Attributes:
        name: as people say it.
        package: in package.json's dependencies.
        config: how the name of its own settings begins.
        static: folder whose files it serves at the site's root.
        outputs: folders that its build writes and empties.
        uses_plugin: the bundle comes by the Vite plugin rather than by a copy in ``static``.
        bundle: name of that copy's folder.
    """

    name: str
    package: str
    config: str
    static: str
    outputs: tuple[str, ...]
    uses_plugin: bool = False
    bundle: str = "models"

    @property
    def copy(self) -> str:
        """Return the folder that the bundle is copied to, where there is no plugin."""
        return "" if self.uses_plugin else f"{self.static}/{self.bundle}"

    @property
    def base(self) -> str:
        """Return where pages find the bundle."""
        return f"/assets/{self.bundle}/" if self.static == old_static else f"/{self.bundle}/"

    @property
    def worker(self) -> str:
        """Return where a service worker is served at the site's root."""
        return "src/sw.js" if self.static == old_static else f"{self.static}/sw.js"

    @property
    def line(self) -> str:
        """Return the one line that the project needs, and where it goes."""
        if self.static == old_static:
            return f'"src/sw.js",   // in the assets of angular.json; and {program()} deploy public before ng build'
        if self.uses_plugin:
            return f'plugins: [shardpress()],   // in {self.config}.*: import shardpress from "{plugin}"'
        return f'"prebuild": "{program()} && {program()} deploy public",   // in the scripts of package.json'


# Those that are made of others come first: SvelteKit and Astro have Vite among their packages, too.
frameworks = (
    Framework("Next", "next", "next.config", "public", (".next", "out")),
    Framework("SvelteKit", "@sveltejs/kit", "svelte.config", "static", ("build", ".svelte-kit")),
    Framework("Astro", "astro", "astro.config", "public", ("dist",)),
    Framework("Angular", "@angular/core", "angular.json", "public", ("dist",)),
    Framework("Nuxt", "nuxt", "nuxt.config", "public", (".output", ".nuxt", "dist")),
    Framework("Gatsby", "gatsby", "gatsby-config", "static", ("public",)),
    Framework("Create React App", "react-scripts", "craco.config", "public", ("build",)),
    Framework("Vue CLI", "@vue/cli-service", "vue.config", "public", ("dist",)),
    Framework("Vite", "vite", "vite.config", "public", ("dist",), uses_plugin=True),
)


def find_framework(folder: Path) -> Framework | None:
    """Tell which framework a project's package.json or its settings name; None for none that is known."""
    packages = _packages(folder / "package.json")
    try:
        files = sorted(path.name for path in folder.iterdir())
    except OSError:
        files = []
    for framework in frameworks:
        named = any(name == framework.config or name.startswith(f"{framework.config}.") for name in files)
        if framework.package in packages or named:
            return _as_it_is(folder, framework)
    return None


def outputs_of(folder: Path, framework: Framework | None) -> tuple[Path, ...]:
    """Return the folders of a project that builds write, its published bundle among them."""
    names = framework.outputs if framework else ()
    copy = folder / framework.copy if framework and framework.copy else None
    return (*(folder / name for name in names), *([copy] if copy and (copy / loader).is_file() else []))


def _as_it_is(folder: Path, framework: Framework) -> Framework:
    """Return a framework as this project has it: older ones of Angular serve another folder, and that may be taken."""
    old = framework.name == "Angular" and not (folder / "public").is_dir() and (folder / old_static).is_dir()
    framework = replace(framework, static=old_static) if old else framework
    place = folder / framework.copy
    taken = bool(framework.copy) and place.is_dir() and any(place.iterdir()) and not (place / loader).is_file()
    return replace(framework, bundle="bundle") if taken else framework


def _packages(path: Path) -> set[str]:
    try:
        content = json.loads(path.read_bytes())
        tables = [content.get(key) for key in ("dependencies", "devDependencies", "peerDependencies")]
        return {name for table in tables if isinstance(table, dict) for name in table}
    except (OSError, ValueError, AttributeError, RecursionError):
        return set()
