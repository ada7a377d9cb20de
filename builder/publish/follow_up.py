"""What follows a release: CloudFront forgets the pointer's copy, the target's own command runs; then the check."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO
from urllib.parse import urlsplit

from ..bundle.format import loader_name
from ..errors import StoreConflictError, StoreError
from ..stores.s3_types import CloudFrontClient
from .apply import Deployer
from .live import Checked
from .pointer import with_generation
from .previews import preview_key
from .targets import Target

hook_seconds = 600
patience_of_cdn = 60.0  # most purges are over sooner
patience_without = 10.0
sleep = time.sleep  # tests put their own clock here
longest_words = 2000  # of a failed hook's output


def mutable_path(target: Target, pointer: str) -> str:
    """Return the pointer's path as the CDN sees it."""
    base = urlsplit(target.public_url).path if target.public_url else "/" + target.config.prefix.strip("/") + "/"
    return ("/" + base.strip("/") + "/" + pointer).replace("//", "/")


def invalidate(target: Target, pointer: str, client: CloudFrontClient | None = None) -> str:
    """Ask CloudFront to forget its copy of the pointer, and nothing else; give the request's name.

    Args:
        target: with a distribution.
        pointer: the key that was written.
        client: for tests.

    Raises:
        StoreError: CloudFront refused; the release is live nevertheless.
    """
    from ..stores.s3_client import cloudfront_failure, location_client, refusals

    path = mutable_path(target, pointer)
    try:
        answer = (
            client or location_client(target.config.region, target.config.profile, "cloudfront")
        ).create_invalidation(
            DistributionId=target.config.cloudfront,
            InvalidationBatch={"Paths": {"Quantity": 1, "Items": [path]}, "CallerReference": uuid.uuid4().hex},
        )
    except refusals as error:
        reason = cloudfront_failure(error, target.config.profile)
        raise StoreError(
            f"the release is live, but CloudFront did not take the invalidation of {path}: {reason.what}",
            code="SP-660",
            where=f"targets.{target.name}.cloudfront",
            hint=f"{reason.hint}; then run the command again",
        ) from error
    return str(answer["Invalidation"]["Id"])


def run_hook(target: Target, pointer: str, release: str) -> None:
    """Run the target's own command with the changed path, for CDNs other than CloudFront.

    Raises:
        StoreError: it failed; the release is live nevertheless.
    """
    environment = {
        **os.environ,
        "SHARDPRESS_TARGET": target.name,
        "SHARDPRESS_RELEASE": release,
        "SHARDPRESS_URL": target.public_url + pointer if target.public_url else "",
    }
    command = [*target.config.hook, mutable_path(target, pointer)]
    where = f"targets.{target.name}.hook"
    hint = "Correct the command, then run it by hand or deploy with --repair"
    # Files rather than pipes: a child that the hook leaves behind would keep a pipe open, and us waiting.
    with tempfile.TemporaryFile() as said:
        try:
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=hook_seconds,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            what = f"{command[0]} did not end within {hook_seconds} s"
            raise StoreError(
                f"the release is live, but {what}{_last_words(said)}", code="SP-661", where=where, hint=hint
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise StoreError(
                f"the release is live, but {command[0]} could not be run ({reason})",
                code="SP-661",
                where=where,
                hint=hint,
            ) from error
        if done.returncode:
            what = f"{command[0]} ended with status {done.returncode}"
            raise StoreError(
                f"the release is live, but {what}{_last_words(said)}", code="SP-661", where=where, hint=hint
            )


def _last_words(said: IO[bytes]) -> str:
    """Return the end of what a command wrote; the one place that prints takes credentials out of it."""
    length = said.seek(0, os.SEEK_END)
    said.seek(max(0, length - longest_words))
    words = said.read().decode(errors="replace").strip()
    return f": {'…' if length > longest_words else ''}{words}" if words else ""


def follow_up(target: Target, pointer: str, release: str) -> None:
    """Do both, where the target asks for them.

    Raises:
        StoreError: one failed; the release is live nevertheless.
    """
    if target.config.cloudfront:
        invalidate(target, pointer)
    if target.config.hook:
        run_hook(target, pointer, release)


def pay(target: Target, deployer: Deployer) -> tuple[str, ...]:
    """Purge all that is owed to the CDN, by this run or by one that was killed before it could; give the keys.

    What is owed stands in the pointer, so that a run that is killed here or before leaves it to the next one.

    Raises:
        StoreError: a purge failed; the release is live nevertheless, and the next run purges again.
    """
    base = deployer.read() if deployer.purges else None
    if base is None or not base.state.owed:
        return ()
    previews = {preview_key(name): preview.loader for name, preview in base.state.previews.items()}
    for pointer in sorted(base.state.owed):
        follow_up(target, pointer, base.live if pointer == loader_name else previews.get(pointer, ""))
    _note_paid(deployer, base.state.owed)
    return tuple(sorted(base.state.owed))


def _note_paid(deployer: Deployer, paid: Mapping[str, int]) -> None:
    """Take off the list what has not changed again since; a later run purges once too often where that fails."""
    with suppress(StoreConflictError):
        base = deployer.read()
        if base is None or base.state.lease is not None:  # a write would end the lease
            return
        owed = {key: generation for key, generation in base.state.owed.items() if generation > paid.get(key, -1)}
        if owed != base.state.owed:
            deployer.swap(base.loader, with_generation(base.state, owed=owed), base.tag)


def check_patiently(check: Callable[[], Checked], target: Target, tell: Callable[[str], None]) -> Checked:
    """Check what is live again and again while a CDN may still hold what was there before.

    Args:
        check: reads it once.
        target: whose CDN it is.
        tell: told once that this waits.
    """
    patience = 0.0
    if target.public_url:
        patience = patience_of_cdn if target.config.cloudfront or target.config.hook else patience_without
    waited, pause = 0.0, 1.0
    while True:
        checked = check()
        if waited >= patience or not any(problem.passing for problem in checked.problems):
            return checked
        if not waited:
            tell(f"{target.public_url} does not show the release yet; asking again for up to {patience:.0f} s")
        pause = min(pause, patience - waited)
        sleep(pause)
        waited, pause = waited + pause, 2 * pause
