"""Targets of ``build.toml`` as stores, with ``${ENV}`` filled in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from ..config.tables import Config
from ..config.targets import TargetConfig
from ..config.units import parse_duration
from ..errors import ConfigError, UsageError
from ..stores import TargetStore
from ..stores.directory import DirectoryStore
from ..typed import from_builtins
from .uploads import Form

default_name = "public"
attempts = 6  # of each request to S3
loopback = frozenset(("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True, slots=True)
class Target:
    """A target, ready to be spoken to.

    Attributes:
        name: in build.toml.
        config: its table, filled in.
        store: where its objects are.
        form: how it keeps files.
        grace: seconds.
        public_url: with a closing slash, or "" where none is known.
    """

    name: str
    config: TargetConfig
    store: TargetStore
    form: Form
    grace: float
    public_url: str


def find_target(config: Config, name: str | None, environment: Mapping[str, str] | None = None) -> Target:
    """Open the target called ``name``, the only one, or ``./public`` where none is configured.

    Raises:
        UsageError: there is no such target, or it is not clear which one is meant.
        ConfigError: its table is wrong.
    """
    known = config.targets or {default_name: TargetConfig(type="directory", path="public")}
    if name is None:
        if len(known) > 1:
            raise UsageError(
                "no target given",
                code="SP-103",
                where=str(config.path),
                hint=f"Name one of: {', '.join(known)}",
            )
        name = next(iter(known))
    if name not in known:
        raise UsageError(
            f"there is no target {name!r}",
            code="SP-103",
            where=str(config.path),
            hint=f"Name one of: {', '.join(known)}",
        )
    return open_target(name, _filled(known[name], f"{config.path}, targets.{name}", environment), config.folder)


def open_target(name: str, table: TargetConfig, folder: Path) -> Target:
    """Open a target.

    Args:
        name: in build.toml.
        table: filled in.
        folder: where relative paths start.

    Raises:
        ConfigError: the table is wrong, or boto3 is missing.
    """
    where = f"targets.{name}"
    try:
        grace = parse_duration(table.grace)
    except ValueError as error:
        raise ConfigError(str(error), code="SP-205", where=f"{where}.grace", hint="Correct the value") from error
    public = table.public_url or ""
    public += "/" if public and not public.endswith("/") else ""
    _check_address(public, f"{where}.public_url")
    _check_address(table.endpoint_url, f"{where}.endpoint_url")
    if table.type == "directory":
        store: TargetStore = DirectoryStore(folder / (table.path or default_name))
        return Target(name, table, store, Form(keeps_headers=False, encoding="", rules={}), grace, public)
    _check_headers(table, where)
    parts = urlsplit(public)
    if table.encoding == "br" and parts.scheme == "http" and parts.hostname not in loopback:
        raise ConfigError(
            "browsers take brotli over https only",
            code="SP-213",
            where=f"{where}.public_url = {public!r}",
            hint="Use https, or encoding = 'gzip'",
        )
    form = Form(keeps_headers=True, encoding=table.encoding, rules=table.headers)
    return Target(name, table, _s3(table, where), form, grace, public)


def _s3(table: TargetConfig, where: str) -> TargetStore:
    if not table.bucket:
        raise ConfigError("missing the key 'bucket'", code="SP-204", where=where, hint="Name the bucket")
    try:
        from ..stores.s3 import S3Store
        from ..stores.s3_client import Location
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed", code="SP-209", where=where, hint="pip install 'shardpress[deploy]'"
        ) from error
    prefix = table.prefix.strip("/")
    return S3Store(
        Location(
            bucket=table.bucket,
            prefix=prefix + "/" if prefix else "",
            endpoint_url=table.endpoint_url,
            addressing=table.addressing,
            region=table.region,
            profile=table.profile,
            no_overwrite_header=table.no_overwrite_header,
            attempts=attempts,
        )
    )


def _check_address(address: str, where: str) -> None:
    """Refuse what is no address of the web.

    Raises:
        ConfigError: it is none.
    """
    if not address:
        return
    try:
        parts = urlsplit(address)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        right = right and address.isascii() and address.isprintable() and " " not in address
    except ValueError:
        right = False
    if not right:
        raise ConfigError(
            f"{address!r} is not a web address", code="SP-212", where=where, hint="Write it as 'https://host/path/'"
        )
    if parts.query or parts.fragment:
        raise ConfigError(
            f"{address!r} ends with a query or fragment, so no file's name can follow",
            code="SP-212",
            where=where,
            hint="Leave them out; signed addresses belong into the page's resolveUrl",
        )


def _check_headers(table: TargetConfig, where: str) -> None:
    allowed = ("Content-Type", "Cache-Control", "Content-Disposition", "Content-Language")
    for pattern, headers in table.headers.items():
        for name in headers:
            if name not in allowed:
                raise ConfigError(
                    f"the header {name!r} cannot be set on an object",
                    code="SP-214",
                    where=f"{where}.headers.{pattern!r}",
                    hint=f"Objects carry {', '.join(allowed)}; set others at the CDN",
                )


def _filled(table: TargetConfig, where: str, environment: Mapping[str, str] | None) -> TargetConfig:
    found = os.environ if environment is None else environment

    def fill(value: object) -> object:
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", put_in, value)
        if isinstance(value, dict):
            return {fill(key): fill(item) for key, item in value.items()}
        return [fill(item) for item in value] if isinstance(value, list) else value

    def put_in(match: re.Match[str]) -> str:
        if match[1] not in found:
            raise ConfigError(
                f"the variable {match[1]} is not set", code="SP-211", where=where, hint="Set it in the environment"
            )
        return found[match[1]]

    try:
        return from_builtins(fill(msgspec.to_builtins(table)), TargetConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(
            str(error).replace("`", "'"), code="SP-205", where=where, hint="Correct the variable's value"
        ) from error
