"""Whether a bucket is set up for pages, and the least that a deploy key must be allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from ..bundle.format import loader_name
from ..config.targets import TargetConfig
from ..errors import DeniedError, StoreError
from ..stores.s3_types import Setting
from .fetch import Limits
from .live import reading_advice, site_of
from .targets import Target

# What each call of our S3 store asks for; a test compares it with the calls that are really made.
actions_of_calls: Mapping[str, tuple[str, ...]] = {
    "GetObject": ("s3:GetObject",),
    "HeadObject": ("s3:GetObject",),
    "PutObject": ("s3:PutObject",),
    "CopyObject": ("s3:GetObject", "s3:PutObject"),
    "DeleteObject": ("s3:DeleteObject",),
    "CreateMultipartUpload": ("s3:PutObject",),
    "UploadPart": ("s3:PutObject",),
    "CompleteMultipartUpload": ("s3:PutObject",),
    "AbortMultipartUpload": ("s3:AbortMultipartUpload",),
    "ListParts": ("s3:ListMultipartUploadParts",),
    "ListObjectsV2": ("s3:ListBucket",),
    "ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
}
of_bucket = ("s3:ListBucket", "s3:ListBucketMultipartUploads")  # the others are of objects
with_prefix = ("s3:ListBucket",)  # AWS tells no prefix to a condition on the other


@dataclass(frozen=True, slots=True)
class Finding:
    """One point of a bucket's set-up.

    Attributes:
        what: names it.
        ok: fine (True), not fine (False), or it could not be asked (None).
        advice: what to do where it is not fine.
        bars: pages cannot work unless it is fine.
    """

    what: str
    ok: bool | None
    advice: str
    bars: bool = False


class _Bucket(Protocol):
    """A store with settings of its own, as ``S3Store`` has them."""

    def setting(self, operation: str) -> Setting | None: ...


def minimal_policy(table: TargetConfig) -> dict[str, object]:
    """Return the smallest IAM policy with which a target can be deployed to and pruned."""
    bucket = f"arn:aws:s3:::{table.bucket}"
    prefix = table.prefix.strip("/")
    needed = dict.fromkeys(action for actions in actions_of_calls.values() for action in actions)
    statements: list[dict[str, object]] = [
        {
            "Effect": "Allow",
            "Action": [action for action in needed if action not in of_bucket],
            "Resource": f"{bucket}/{prefix}/*" if prefix else f"{bucket}/*",
        },
        *(_of_bucket(action, bucket, prefix) for action in of_bucket),
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


def _of_bucket(action: str, bucket: str, prefix: str) -> dict[str, object]:
    statement: dict[str, object] = {"Effect": "Allow", "Action": action, "Resource": bucket}
    if prefix and action in with_prefix:
        statement["Condition"] = {"StringLike": {"s3:prefix": f"{prefix}/*"}}
    return statement


def examine_bucket(target: Target) -> tuple[Finding, ...]:
    """Look at public reading, CORS, versioning and the life of unfinished uploads.

    Raises:
        StoreError: the store does not answer.
    """
    store = cast(_Bucket, target.store)  # the command line lets no others through
    cors = store.setting("get_bucket_cors")
    versioning = store.setting("get_bucket_versioning")
    lifecycle = store.setting("get_bucket_lifecycle_configuration")
    return (
        _public(target),
        Finding(
            "CORS",
            None if cors is None else _allows(cors, target.config.origin),
            f"Allow GET and HEAD from {target.config.origin} (or *) in the bucket's CORS rules, or at the CDN",
            bars=True,
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


def _public(target: Target) -> Finding:
    """Ask for loader.js as a visitor does."""
    if not target.public_url:
        return Finding("public reading", None, "Set public_url, so that it can be asked as visitors do")
    if target.store.stat(loader_name) is None:
        return Finding("public reading", None, "Deploy first: there is nothing yet that could be read")
    try:
        site_of(target).fetch(loader_name, Limits())
    except DeniedError:
        return Finding("public reading", False, reading_advice(target), bars=True)
    except StoreError as error:
        return Finding("public reading", None, f"{target.public_url}{loader_name} {error.what}. {error.hint}".strip())
    return Finding("public reading", True, "")


def _allows(cors: Setting, origin: str) -> bool:
    return any(
        "GET" in rule.get("AllowedMethods", ()) and {"*", origin} & set(rule.get("AllowedOrigins", ()))
        for rule in cors.get("CORSRules", ())
    )


def _expires(lifecycle: Setting | None) -> bool:
    return any("NoncurrentVersionExpiration" in rule for rule in (lifecycle or {}).get("Rules", ()))


def _aborts(lifecycle: Setting) -> bool:
    return any("AbortIncompleteMultipartUpload" in rule for rule in lifecycle.get("Rules", ()))
