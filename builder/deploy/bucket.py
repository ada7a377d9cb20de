"""Whether a bucket is set up for pages, and the least that a deploy key must be allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from builder.config import TargetConfig
from builder.deploy.targets import Target


@dataclass(frozen=True, slots=True)
class Finding:
    """One point of a bucket's set-up: fine (True), not fine (False), or it could not be asked (None)."""

    what: str
    ok: bool | None
    advice: str


def minimal_policy(table: TargetConfig) -> dict[str, Any]:
    """Give the smallest IAM policy with which a target can be deployed to and pruned."""
    bucket = f"arn:aws:s3:::{table.bucket}"
    prefix = table.prefix.strip("/")
    objects = f"{bucket}/{prefix}/*" if prefix else f"{bucket}/*"
    listing: dict[str, Any] = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket}
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": f"{prefix}/*"}}
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "Resource": objects},
        listing,
    ]
    if table.cloudfront:
        statements.append(
            {
                "Effect": "Allow",
                "Action": "cloudfront:CreateInvalidation",
                "Resource": f"arn:aws:cloudfront::*:distribution/{table.cloudfront}",
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}


def examine_bucket(target: Target) -> tuple[Finding, ...]:
    """Look at CORS, versioning and the life of unfinished uploads.

    Raises:
        StoreError: the store does not answer.
    """
    store: Any = target.store
    cors = store.setting("get_bucket_cors")
    versioning = store.setting("get_bucket_versioning")
    lifecycle = store.setting("get_bucket_lifecycle_configuration")
    return (
        Finding(
            "CORS",
            None if cors is None else _allows(cors, target.config.origin),
            f"Allow GET and HEAD from {target.config.origin} (or *) in the bucket's CORS rules, or at the CDN",
        ),
        Finding(
            "versioning",
            None if versioning is None else versioning.get("Status") != "Enabled" or _expires(lifecycle),
            "Old versions are never deleted: add a lifecycle rule that ends noncurrent versions",
        ),
        Finding(
            "unfinished uploads",
            None if lifecycle is None else _aborts(lifecycle),
            "Add a lifecycle rule AbortIncompleteMultipartUpload, so that nothing unseen is paid for",
        ),
    )


def _allows(cors: Mapping[str, Any], origin: str) -> bool:
    return any(
        "GET" in rule.get("AllowedMethods", ()) and {"*", origin} & set(rule.get("AllowedOrigins", ()))
        for rule in cors.get("CORSRules", ())
    )


def _expires(lifecycle: Mapping[str, Any] | None) -> bool:
    return any("NoncurrentVersionExpiration" in rule for rule in (lifecycle or {}).get("Rules", ()))


def _aborts(lifecycle: Mapping[str, Any]) -> bool:
    return any("AbortIncompleteMultipartUpload" in rule for rule in lifecycle.get("Rules", ()))
