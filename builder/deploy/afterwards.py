"""What follows a release: CloudFront forgets the pointer's copy, and the target's own command runs."""

from __future__ import annotations

import os
import subprocess
import uuid
from typing import Any
from urllib.parse import urlsplit

from builder.deploy.targets import Target
from builder.errors import StoreError

hook_seconds = 600


def mutable_path(target: Target, pointer: str) -> str:
    """Give the pointer's path as the CDN sees it."""
    base = urlsplit(target.public_url).path if target.public_url else "/" + target.config.prefix.strip("/") + "/"
    return ("/" + base.strip("/") + "/" + pointer).replace("//", "/")


def invalidate(target: Target, pointer: str, client: Any = None) -> str:
    """Ask CloudFront to forget its copy of the pointer, and nothing else; give the request's name.

    Args:
        target: with a distribution.
        pointer: the key that was written.
        client: for tests.

    Raises:
        StoreError: CloudFront refused; the release is live nevertheless.
    """
    from builder.stores.s3 import location_client, refusals

    path = mutable_path(target, pointer)
    try:
        answer = (
            client or location_client(target.config.region, target.config.profile, "cloudfront")
        ).create_invalidation(
            DistributionId=target.config.cloudfront,
            InvalidationBatch={"Paths": {"Quantity": 1, "Items": [path]}, "CallerReference": uuid.uuid4().hex},
        )
    except refusals as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
        raise StoreError(
            f"the release is live, but CloudFront did not take the invalidation of {path} ({code})",
            where=f"targets.{target.name}.cloudfront",
            hint="Check the distribution's name and cloudfront:CreateInvalidation, then deploy with --repair",
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
    hint = "Mend the command, then run it by hand or deploy with --repair"
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=hook_seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(
            f"the release is live, but {command[0]} could not be run ({type(error).__name__})", where=where, hint=hint
        ) from error
    if done.returncode:
        raise StoreError(
            f"the release is live, but {command[0]} ended with status {done.returncode}", where=where, hint=hint
        )


def follow_up(target: Target, pointer: str, release: str) -> None:
    """Do both, where the target asks for them.

    Raises:
        StoreError: one failed; the release is live nevertheless.
    """
    if target.config.cloudfront:
        invalidate(target, pointer)
    if target.config.hook:
        run_hook(target, pointer, release)
