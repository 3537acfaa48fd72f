"""Objects behind a plain web address, such as that of a bucket that everybody may read. They can only be read."""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import IO, Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from layerforge import __version__
from layerforge.core.errors import UsageError
from layerforge.core.store.objects import (
    MARK,
    MOST,
    FarReadOnlyError,
    FarStoreError,
    ForeignObjectError,
    Listed,
)
from layerforge.core.text import megabytes, visible

T = TypeVar("T")

PAUSES = (0.2, 1.0, 3.0)
"""Seconds before a request is repeated whose answer did not come, or not whole, or was a server's failure."""

TIMEOUT = 60.0
"""Seconds for which nothing may come."""

_CHUNK = 1 << 20
_ABSENT = frozenset({404, 410})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_PATH = re.compile(r"[\w!$&'()*+,;=:@.~/%-]*", re.ASCII)
_FORM = "it has the form https://host/path"


class _Odd(Exception):  # noqa: N818 - says what the answer is
    """The answer is not whole."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to nowhere where a connection is less safe than the address that the user named."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not _is_safe(urlsplit(newurl)):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    # One context for all connections: making it reads all certificates that the system trusts.
    secure = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    return urllib.request.build_opener(secure, _Redirects)


@dataclass(frozen=True, kw_only=True)
class HttpsObjects:
    """Objects below a web address; satisfies ``Objects``, but can neither be written nor listed.

    S3 answers 403 both for what may not be read and, in a bucket that everybody may read but not list, for what is not
    there. So 403 means absent only once an object could be read here: before that the mark that every store has is
    asked for. Taken for absent without that, a bucket that is closed would look like an empty store, without a word.
    """

    url: str
    """Without a slash at its end."""
    timeout: float = TIMEOUT
    """Seconds."""
    pauses: tuple[float, ...] = PAUSES
    """Seconds before each repetition."""
    sleep: Callable[[float], None] = time.sleep
    opener: urllib.request.OpenerDirector = field(default_factory=_opener)
    """With the system's certificates, or those of SSL_CERT_FILE, and its proxies."""
    readable: Event = field(default_factory=Event)
    """Set once an object could be read."""

    @property
    def place(self) -> str:
        """The address."""
        return self.url

    def read(self, name: str, most: int = MOST) -> bytes | None:
        """The bytes of an object."""
        return self._asked(name, "GET", partial(_whole, most=most))

    def size(self, name: str) -> int | None:
        """How many bytes an object has. Where its server does not say that, it is read."""
        length = self._asked(name, "HEAD", _length)
        if length != _UNKNOWN:
            return length
        data = self.read(name)
        return None if data is None else len(data)

    def create(self, name: str, data: bytes) -> bool:  # noqa: ARG002 - as the Protocol has it
        """Always raises ``FarReadOnlyError``."""
        raise self._read_only()

    def listed(self, below: str = "") -> Iterator[Listed]:  # noqa: ARG002 - as the Protocol has it
        """Always raises ``FarStoreError``."""
        raise FarStoreError(
            f"a plain web address cannot be listed: {self.url}",
            hint="name the bucket itself, as s3://bucket/prefix, with credentials that may list it",
        )

    def remove(self, names: Iterable[str]) -> None:  # noqa: ARG002 - as the Protocol has it
        """Always raises ``FarReadOnlyError``."""
        raise self._read_only()

    def _read_only(self) -> FarReadOnlyError:
        return FarReadOnlyError(
            f"nothing can be put behind a plain web address: {self.url}",
            hint="name the bucket itself, as s3://bucket/prefix, with credentials that may write there",
        )

    def _asked(self, name: str, method: str, read: Callable[[Any], T]) -> T | None:
        """What ``read`` makes of an answer; ``None`` where there is no such object."""
        for pause in (*self.pauses, None):
            try:
                return self._once(name, method, read)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code in _ABSENT:
                    return None
                if error.code == http.HTTPStatus.FORBIDDEN:
                    self._forbidden(name, error)
                    return None
                if pause is None or error.code not in _PASSING:
                    raise self._refused(error) from error
            except (OSError, http.client.HTTPException, _Odd) as error:
                if pause is None or isinstance(_reason(error), ssl.SSLCertVerificationError):
                    raise self._unreachable(error) from error
            self.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _once(self, name: str, method: str, read: Callable[[Any], T]) -> T:
        headers = {"User-Agent": f"layerforge/{__version__}"}
        request = urllib.request.Request(f"{self.url}/{name}", method=method, headers=headers)  # noqa: S310 - see opened
        with self.opener.open(request, timeout=self.timeout) as answer:
            found = read(answer)
        self.readable.set()
        return found

    def _forbidden(self, name: str, error: urllib.error.HTTPError) -> None:
        if self.readable.is_set() or (name != MARK and self.read(MARK) is not None):
            return
        raise FarStoreError(
            f"{self.url} may not be read, or is no store: {MARK} cannot be had there",
            hint="let everybody read it, name the bucket as s3://bucket/prefix with credentials, or put something "
            "there first",
            details=(f"{error.code} {visible(str(error.reason))}",),
        ) from error

    def _refused(self, error: urllib.error.HTTPError) -> FarStoreError:
        region, elsewhere = error.headers.get("x-amz-bucket-region"), error.code < http.HTTPStatus.BAD_REQUEST
        hint = "wait a little, and run the command again" if error.code in _PASSING else "open the address in a browser"
        if error.code in {401, 407}:
            hint = "credentials are not sent there: name the bucket as s3://bucket/prefix, or a proxy in HTTPS_PROXY"
        if elsewhere:
            hint = "it sends elsewhere, which is not followed to where nothing is encrypted: name that address itself"
        if elsewhere and region:
            host = f"BUCKET.s3.{visible(region)}.amazonaws.com"
            hint = f"the bucket lies in {visible(region)}: write the address as https://{host}"
        return FarStoreError(
            f"{self.url} does not give its objects", hint=hint, details=(f"{error.code} {visible(str(error.reason))}",)
        )

    def _unreachable(self, error: Exception) -> FarStoreError:
        reason = _reason(error)
        details = (visible(str(reason) or type(reason).__name__),)
        match reason:
            case ssl.SSLError():
                hint = "behind a proxy that opens connections, set SSL_CERT_FILE to its certificate"
                return FarStoreError(f"no trusted connection to {self.url} comes about", hint=hint, details=details)
            case socket.gaierror():
                hint = "is there a network, and is the address right?"
            case _Odd() | http.client.HTTPException():
                hint = "run the command again; is a proxy between that cuts what is large?"
                return FarStoreError(f"{self.url} answers, but not whole", hint=hint, details=details)
            case _:
                hint = "is there a network, and are the address and HTTPS_PROXY right?"
        return FarStoreError(f"{self.url} cannot be reached", hint=hint, details=details)


_UNKNOWN = -1


def _length(answer: Any) -> int:
    """What the answer's header says of its length."""
    said = str(answer.headers.get("Content-Length", ""))
    return int(said) if said.isascii() and said.isdigit() else _UNKNOWN


def _whole(answer: Any, most: int) -> bytes:
    """All bytes of an answer. Raises ``_Odd`` where they are fewer than it said."""
    expected, pieces, size = _length(answer), list[bytes](), 0
    while data := answer.read(_CHUNK):
        pieces.append(data)
        size += len(data)
        if size > most:
            raise ForeignObjectError(
                f"{visible(answer.url)} has more than {megabytes(most)}", hint="is that the address of a store?"
            )
    if expected not in {_UNKNOWN, size}:
        raise _Odd(f"{size:,} of {expected:,} bytes came")
    return b"".join(pieces)


def _reason(error: BaseException) -> BaseException:
    inner = getattr(error, "reason", None)
    return inner if isinstance(inner, BaseException) else error


def https_objects(url: str) -> HttpsObjects:
    """The objects below ``https://host/path``, or ``http://`` where the host is this machine.

    Raises ``UsageError`` for an address of another form, or with credentials, and does not repeat those.
    """
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname and parts.hostname.encode("idna")) and (parts.port is None or parts.port > 0)
    except ValueError:
        parts, named = urlsplit("https://"), False
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            "the address of the store holds a user, a query or a fragment, which may be credentials",
            hint=f"{_FORM}; what is not for everybody is named as s3://bucket/prefix",
        )
    if not named or not _PATH.fullmatch(parts.path) or {".", ".."} & set(parts.path.split("/")):
        raise UsageError(f"{visible(url)!r} is no address of a store", hint=_FORM)
    if not _is_safe(parts):
        raise UsageError(f"{visible(url)!r} would be read without encryption", hint="name it with https:// in front")
    return HttpsObjects(url=url.rstrip("/"))


def _is_safe(parts: SplitResult) -> bool:
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
