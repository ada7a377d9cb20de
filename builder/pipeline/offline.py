"""The service worker of a finished site: which of its files are kept for visits without a network, found by glob."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import quote

from ..bundle.render import render
from ..config.offline import OfflineConfig
from ..config.tables import Config
from ..errors import ConfigError, StoreError
from ..files.atomic import write_atomically

mark = b"// Written by shardpress"
most_files = 10_000


def write_offline(config: Config, worker: str, binaries: tuple[str, ...] = ()) -> str | None:
    """Write the worker of the site that ``[offline]`` names; give a warning where there is no such site yet.

    Args:
        config: with ``[offline]``, or nothing is done.
        worker: address of the bundle's offline worker, relative to the bundle.
        binaries: those of files that have to be there from the first visit on, such as TensorFlow.js' wasm.

    Raises:
        ConfigError: a pattern finds nothing, or far too much, or the worker's file is somebody else's.
        StoreError: the site cannot be read or written.
    """
    offline = config.offline
    if offline is None:
        return None
    where = f"{config.path}, offline"
    site = config.folder / offline.site
    target = site / offline.worker
    if not site.is_dir():
        return f"{offline.site} does not exist yet, so {offline.worker} was not written: build again when it does"
    try:
        if target.is_symlink() or (target.exists() and not target.read_bytes().startswith(mark)):
            raise ConfigError(
                f"{target} is not one that a build has written",
                code="SP-229",
                where=f"{where}.worker",
                hint="Choose another name, or import the models' worker into yours (docs/loader.md, Offline)",
            )
        runtime = _matches(site, offline, offline.runtime, f"{where}.runtime")
        shell = [name for name in _matches(site, offline, offline.shell, f"{where}.shell") if name not in runtime]
        if not shell:
            raise ConfigError(
                f"the patterns match no file in {offline.site}",
                code="SP-221",
                where=f"{where}.shell",
                hint="Name the pages",
            )
        if offline.fallback and offline.fallback not in shell:
            raise ConfigError(
                f"{offline.fallback!r} is not among the files that shell finds",
                code="SP-221",
                where=f"{where}.fallback",
            )
        up = "../" * (len(PurePosixPath(offline.worker).parts) - 1) or "./"
        base = offline.base if "//" in offline.base else up + offline.base
        settings = {
            "base": base,
            "shell": [up + quote(name) for name in shell],
            "runtime": [*(up + quote(name) for name in runtime), *(base + url for url in binaries)],
            **({"fallback": up + quote(offline.fallback)} if offline.fallback else {}),
        }
        content = render("offline-sw.js.j2", settings=settings, worker=base + worker).encode()
        if not target.exists() or target.read_bytes() != content:
            write_atomically(target, content)
    except OSError as error:
        raise StoreError(
            f"the site cannot be read or written ({error.strerror})", code="SP-601", where=str(site)
        ) from error
    return None


def _matches(site: Path, offline: OfflineConfig, patterns: tuple[str, ...], where: str) -> list[str]:
    """Return the site's files, relative to it with slashes, in order; not the bundle's, none hidden or linked."""
    own = site.resolve()
    found: set[str] = set()
    for pattern in patterns:
        for path in site.glob(pattern):
            name = path.relative_to(site).as_posix()
            hidden = any(part.startswith(".") for part in PurePosixPath(name).parts)
            if hidden or name == offline.worker or ("//" not in offline.base and name.startswith(offline.base)):
                continue
            if path.is_file() and path.resolve() == own / name:
                found.add(name)
            if len(found) > most_files:
                raise ConfigError(
                    f"matches more than {most_files} files", code="SP-221", where=where, hint="Give narrower patterns"
                )
    return sorted(found)
