"""The one place that takes credentials out of texts before anybody reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

mask = "***"
# user:password@ before a host; a password may hold a slash, though it should not, where no port can stand.
_login = re.compile(r"(?<=://)(?:[^\s/?#'\"<>]*@)+|(?<=://)[^\s/?#'\"<>@:]*:(?!\d+[/?#])[^\s'\"<>@]*@")
# What signs an address: S3, CloudFront, Google, Azure, and the usual names of keys.
_signed = re.compile(
    r"""([?&;](?:amp;)?(?:x-(?:amz|goog)-(?:signature|credential|security-token)|signature|policy|key-pair-id"""
    r"""|awsaccesskeyid|googleaccessid|sig|hdnts|token|access[_-]?token|auth|api[_-]?key|key|secret|password|pwd)=)"""
    r"""[^&#\s'"<>;]+""",
    re.IGNORECASE,
)
_header = re.compile(r"\b(authorization|x-amz-security-token)(['\"]?\s*[:=]\s*['\"]?)(?:(?:basic|bearer)\s+)?[^\s'\"]+",
                     re.IGNORECASE)  # fmt: skip
_secret_name = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY", re.IGNORECASE)
shortest = 8  # a shorter value of a variable would mask words


def redact(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Return a text without logins in addresses, signatures of addresses, and values of secret variables.

    Args:
        text: for people or programs.
        environment: whose secrets are looked for; None is this process's own.
    """
    return _without(text, _secrets(os.environ if environment is None else environment))


def redacted(document: Any) -> Any:
    """Return a JSON document with every text in it redacted."""
    secrets = _secrets(os.environ)  # looked for once: a document has thousands of texts

    def inside(part: Any) -> Any:
        if isinstance(part, str):
            return _without(part, secrets)
        if isinstance(part, Mapping):
            return {inside(key): inside(value) for key, value in part.items()}
        return [inside(item) for item in part] if isinstance(part, (list, tuple)) else part

    return inside(document)


def _secrets(environment: Mapping[str, str]) -> list[str]:
    """Return the values of the variables whose names say that they are secret."""
    return [
        value
        for name, value in environment.items()
        if len(value) >= shortest and _secret_name.search(name) and not name.endswith(("_FILE", "_URI", "_URL"))
    ]


def _without(text: str, secrets: Iterable[str]) -> str:
    for value in secrets:
        text = text.replace(value, mask)
    text = _login.sub(f"{mask}@", text)
    text = _signed.sub(rf"\g<1>{mask}", text)
    return _header.sub(rf"\g<1>\g<2>{mask}", text)
