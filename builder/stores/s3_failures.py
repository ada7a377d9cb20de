"""Explains why a request to S3 failed, and what to do next."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from ..errors import ConfigError, ShardpressError, StoreDeniedError, StoreError
from .answers import causes, trouble
from .s3_types import ErrorFacts, Refusal

# What botocore raises that is no BotoCoreError: answers that are not S3's, files it cannot read, addresses it refuses.
failures = (aws.ClientError, aws.BotoCoreError, ResponseParserError, OSError, ValueError, RecursionError)
precondition_codes = frozenset(
    (
        "PreconditionFailed",
        "ConditionalRequestConflict",
        "FileAlreadyExists",
        "FileImmutable",
        "ObjectAlreadyExists",
        "NoSuchUpload",
    )
)
credential_codes = frozenset(
    (
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    )
)
absent_codes = frozenset(("NoSuchKey", "404", "NotFound"))
region_codes = frozenset(
    ("AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "IncorrectEndpoint", "PermanentRedirect")
)
chain_hint = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a web identity"
again_hint = "Run the command again; if that does not help, ask the store's owner"


class RefusedError(StoreError):
    """A condition was not met."""


class AbsentError(StoreError):
    """There is no such object."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: the bucket, its name in messages, the key, the permission needed, and the endpoint."""

    bucket: str
    place: str
    key: str = ""
    action: str = ""
    endpoint_url: str = ""
    profile: str = ""


def explain(error: Exception, asked: Asked) -> ShardpressError:
    """Turn a failure into the error that a user reads.

    Args:
        error: one of ``failures``.
        asked: what failed.
    """
    if isinstance(error, aws.ClientError):
        return _answered(error, asked)
    said = _credentials(error, asked) or _settings(error, asked)
    if said is not None:
        return said
    host = urlsplit(getattr(error, "kwargs", {}).get("endpoint_url") or asked.endpoint_url).hostname or "the store"
    if isinstance(error, aws.ProxyConnectionError):
        what, hint = f"the proxy does not allow connections to {host}", "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
        code = "SP-624"
    elif any(isinstance(one, RecursionError) for one in causes(error)):  # botocore follows redirects without end
        what = f"{host} answers with endless redirects"
        hint = "Set region and endpoint_url to those of the bucket itself"
        code = "SP-612"
    elif isinstance(error, ResponseParserError):
        what, hint = (
            f"{host} does not answer like an S3 store",
            "Check endpoint_url: another kind of server answers there",
        )
        code = "SP-614"
    else:
        what, hint, code = trouble(error, host) or (
            f"the store does not answer ({type(error).__name__})",
            "Check endpoint_url and the network, then run the command again",
            "SP-625",
        )
    return StoreError(what, code=code, where=asked.place + asked.key, hint=hint)


def _credentials(error: Exception, asked: Asked) -> ShardpressError | None:
    """Return the error if the credentials are the cause."""
    profile = asked.profile or os.environ.get("AWS_PROFILE", "")
    login = f"aws sso login{f' --profile {profile}' if profile else ''}"
    facts = getattr(error, "kwargs", {})
    what = hint = ""
    code = "SP-632"
    if isinstance(error, aws.ProfileNotFound):
        name = facts.get("profile")
        return ConfigError(f"the AWS profile {name!r} does not exist", code="SP-240", where=asked.place,
                           hint="Correct profile or AWS_PROFILE, or configure it with `aws configure`")  # fmt: skip
    if isinstance(error, aws.NoCredentialsError):
        what, hint, code = "no credentials were found", chain_hint, "SP-630"
    elif isinstance(error, aws.PartialCredentialsError):
        what, hint, code = f"the credentials lack {facts.get('cred_var')}", chain_hint, "SP-630"
    elif isinstance(error, (aws.UnauthorizedSSOTokenError, aws.SSOError, aws.LoginError, aws.TokenRetrievalError)):
        what, hint, code = "the AWS sign-in (SSO) has expired or is missing", f"Sign in: `{login}`", "SP-631"
    elif isinstance(error, (aws.CredentialRetrievalError, aws.MetadataRetrievalError)):
        what, hint = (
            f"the credentials cannot be obtained ({_line(error)})",
            "Correct the profile's settings, or " + chain_hint,
        )
    elif isinstance(error, aws.RefreshWithMFAUnsupportedError):
        what, hint = "the role requires a second factor (MFA)", "Use session credentials, for example from `aws sts`"
    elif isinstance(error, OSError) and error.filename:
        name = error.filename
        if name == os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            what = f"the token file {name} of the web identity cannot be read ({error.strerror})"
            hint = "Correct AWS_WEB_IDENTITY_TOKEN_FILE, and make sure the job writes the file first"
        else:
            what, hint = f"{name} cannot be read ({error.strerror})", "Check the file and its permissions"
    return StoreError(what, code=code, where=asked.place, hint=hint) if what else None


def _settings(error: Exception, asked: Asked) -> ShardpressError | None:
    """Return the error if build.toml or the AWS configuration is the cause."""
    text = _line(error)
    if isinstance(
        error, (aws.ConfigParseError, aws.ConfigNotFound, aws.InvalidConfigError, aws.UnknownCredentialError)
    ):
        return ConfigError(f"the AWS configuration cannot be used ({text})", code="SP-241", where=asked.place,
                           hint="Correct ~/.aws/config and credentials, or the file of AWS_CONFIG_FILE")  # fmt: skip
    if isinstance(error, (aws.InvalidRegionError, aws.NoRegionError, aws.UnknownRegionError)):
        return ConfigError(
            f"the region is not valid ({text})", code="SP-242", where=asked.place, hint="Correct region or AWS_REGION"
        )
    if isinstance(error, aws.ParamValidationError) and "bucket name" in text.lower():
        return _bad_bucket(asked)
    if isinstance(error, (aws.InvalidDNSNameError, aws.UnsupportedS3ArnError, UnicodeError)):
        return _bad_bucket(asked)
    if isinstance(error, ValueError) and not isinstance(error, (aws.BotoCoreError, OSError)):
        return ConfigError(f"endpoint_url is not a valid URL ({text})", code="SP-243", where=asked.place,
                           hint="Write it as 'https://s3.example.com'")  # fmt: skip
    if isinstance(error, (aws.EndpointProviderError, aws.BaseEndpointResolverError)):
        return ConfigError(f"no URL for the store can be built ({text})", code="SP-243", where=asked.place,
                           hint="Correct bucket, region, endpoint_url and addressing")  # fmt: skip
    return None


def _bad_bucket(asked: Asked) -> ConfigError:
    return ConfigError(
        f"{asked.bucket!r} is not a valid bucket name",
        code="SP-244",
        where=asked.place,
        hint="Names have 3 to 63 lower-case letters, digits, dots and hyphens; a folder inside it goes into prefix",
    )


def status_of(error: aws.ClientError) -> int:
    """Return the HTTP status of a refusal, or 0."""
    response: Refusal = error.response
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _answered(error: aws.ClientError, asked: Asked) -> ShardpressError:
    response: Refusal = error.response
    facts = response.get("Error", {})
    answer = str(facts.get("Code", ""))
    status = status_of(error)
    if answer in precondition_codes or status == 412:
        return RefusedError(answer)
    if answer in absent_codes:
        return AbsentError(answer)
    if answer in ("InvalidBucketName", "InvalidBucket"):
        return _bad_bucket(asked)
    what, hint, code = _refused(error, answer, status, facts, asked)
    kind = StoreDeniedError if status in {401, 403} else StoreError
    return kind(what, code=code, where=asked.place + asked.key, hint=hint)


def _refused(error: aws.ClientError, answer: str, status: int, facts: ErrorFacts, asked: Asked) -> tuple[str, str, str]:
    """Return what happened, what to do, and the code."""
    if error.operation_name in ("AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetRoleCredentials"):
        return (
            f"the role may not be assumed ({answer})",
            "Check the role's name and its trust policy: it must name this repository, branch or account",
            "SP-633",
        )
    response: Refusal = error.response
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = facts.get("Region") or headers.get("x-amz-bucket-region")
    if answer in region_codes or status == 301:
        return (
            f"the bucket is in another region{f', {region}' if region else ''} ({answer or status})",
            f"Set region = {region!r}" if region else "Set region to the bucket's own, or correct endpoint_url",
            "SP-634",
        )
    for right, what, hint, code in (
        (answer == "NoSuchDistribution", "the distribution does not exist", "Correct cloudfront, e.g. E2EXAMPLE",
         "SP-635"),
        (answer == "NoSuchBucket", f"the bucket {asked.bucket!r} does not exist", "Create it, or correct bucket",
         "SP-636"),
        (answer in credential_codes, f"the credentials are refused ({answer})",
         "Check them; they come from the standard AWS chain", "SP-637"),
        (answer == "RequestTimeTooSkewed", "this machine's clock is wrong by more than S3 allows", "Set the clock",
         "SP-638"),
        (status in {401, 403}, f"access is denied ({answer or status}) for {asked.action}",
         "Check credentials and policy; `shardpress bucket TARGET --policy` prints the minimum required",
         "SP-639"),
        (300 <= status < 400, f"answered {status}, a redirect", "Set endpoint_url to the final address",
         "SP-612"),
        (status == 500, f"answered {status} {answer}",
         "Run the command again; if that does not help, see whether the store's disk is full", "SP-611"),
        (status == 507 or "Storage" in answer or "Quota" in answer, f"the store is full ({answer or status})",
         "Free some space, e.g. with `prune`", "SP-618"),
    ):  # fmt: skip
        if right:
            return what, hint, code
    return f"answered {status} {answer}", again_hint, "SP-611"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
