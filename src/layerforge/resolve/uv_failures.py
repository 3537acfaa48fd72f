"""What uv says when it fails, matched to what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from layerforge.core.errors import LayerforgeError, StepError, UsageError
from layerforge.resolve.errors import LockError

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SECRET = re.compile(r"//\S*@")
_CHATTER = ("Using CPython", "DEBUG ", "WARN ")
_WORDS = 10
"""Most lines of uv's own words that an error repeats."""


@dataclass(frozen=True, kw_only=True)
class KnownFailure:
    """One way in which uv fails: how its message looks, and what to tell the user."""

    pattern: re.Pattern[str]
    message: str
    hint: str
    error: type[LayerforgeError] = LockError


FAILURES = (
    KnownFailure(
        pattern=re.compile(r"No space left on device|os error 28|Disk quota exceeded|os error 122"),
        message="no space is left for the wheels",
        hint="free some space, or set UV_CACHE_DIR and LAYERFORGE_CACHE to a larger disk",
        error=StepError,
    ),
    KnownFailure(
        pattern=re.compile(r"[Ff]ailed to (?:initialize|open) cache|[Ff]ailed to create directory"),
        message="uv's cache cannot be written",
        hint="set UV_CACHE_DIR to a folder that you may write to",
        error=UsageError,
    ),
    KnownFailure(
        pattern=re.compile(r"Failed to (?:download and )?build `(?P<package>[^`]+)`"),
        message="{package} would have to be built, which would run its code on this machine",
        hint="name a wheel of it; a release of an index is compiled in a container with --from-source NAME",
    ),
    KnownFailure(
        pattern=re.compile(r"Hash mismatch for `(?P<package>[^`]+)`"),
        message="the wheel of {package} does not have the hash that the lock asks for",
        hint="the index serves other bytes than those that were locked: find out why before you renew the lock",
    ),
    KnownFailure(
        pattern=re.compile(r"Hash-checking is required|must have their versions pinned|`--require-hashes` mode"),
        message="the lock is incomplete",
        hint="renew it with `layerforge lock TARGET`",
    ),
    # uv calls a package not found, too, where it could not ask the index.
    KnownFailure(
        pattern=re.compile(r"401 Unauthorized|HTTP status client error \(40[13]"),
        message="the index refuses the credentials",
        hint="give them as uv takes them: UV_INDEX_<NAME>_USERNAME and _PASSWORD, a keyring or a netrc file",
    ),
    KnownFailure(
        pattern=re.compile(r"Because (?P<package>\S+) was not found in the.*403 Forbidden", re.DOTALL),
        message="the index does not give {package} to you, or does not have it",
        hint="check the spelling, and the credentials that uv has for it, in a netrc file or a keyring",
    ),
    KnownFailure(
        pattern=re.compile(r"Network connectivity is disabled|in the cache|because the network was disabled", re.I),
        message="uv is offline and its cache does not hold all that is needed",
        hint="unset UV_OFFLINE, or fill uv's cache once while online",
    ),
    KnownFailure(
        pattern=re.compile(r"Because (?P<package>\S+) was not found in the"),
        message="there is no package {package}",
        hint="check the spelling, and UV_INDEX or UV_DEFAULT_INDEX if it lies in an index of your own",
    ),
    KnownFailure(
        pattern=re.compile(r"invalid peer certificate|UnknownIssuer|certificate verify failed"),
        message="the index's certificate is not trusted",
        hint="set SSL_CERT_FILE to your proxy's certificates, or UV_SYSTEM_CERTS=1 to use the system's",
    ),
    KnownFailure(
        pattern=re.compile(r"error sending request|dns error|[Cc]onnection refused|timed out|Failed to fetch"),
        message="the package index cannot be reached",
        hint="check the network, HTTPS_PROXY and SSL_CERT_FILE; with everything in uv's cache, UV_OFFLINE=1 works",
    ),
    KnownFailure(
        pattern=re.compile(r"conflict|[Yy]our requirements are unsatisfiable|No solution found"),
        message="the requirements cannot be satisfied together",
        hint="loosen one of those that uv names",
    ),
    KnownFailure(
        pattern=re.compile(r"Couldn't parse requirement|Failed to parse|[Ii]nvalid requirement"),
        message="uv cannot read the requirements",
        hint="write one requirement a line, such as `pandas>=3`",
    ),
)

NO_WHEEL = re.compile(
    r"[Bb]ecause (?:only |all versions of )?(?P<package>[\w.-]+)[^\s,]*(?: [^,]*?)? ha(?:s|ve) no (?:usable )?wheels"
)

SOURCE_REFUSED = re.compile(r"building from source is disabled|no usable wheels")
"""What uv says where there is a source, and never where a package has none."""

NO_SOURCE = re.compile(r"ha(?:s|ve) no source distribution")
"""What uv says of what is published as wheels only, where a source is asked for."""

NO_WHEEL_HINT = re.compile(r"Wheels are (?:required|available) for `(?P<package>[\w.-]+)`")


def own_words(text: str) -> tuple[str, ...]:
    """What uv says of its failure, without its progress before that, without passwords, and not at any length."""
    lines = [SECRET.sub("//…@", line) for line in text.splitlines() if line.strip()]
    first = next((number for number, line in enumerate(lines) if line.startswith("error")), 0)
    words = [line for line in lines[first:] if not line.startswith(_CHATTER)]
    more = len(words) - _WORDS + 1
    return tuple(words) if more < 2 else (*words[: _WORDS - 1], f"… and {more} lines more")
