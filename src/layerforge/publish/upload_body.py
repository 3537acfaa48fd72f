"""The request that makes a layer version, read from the disk as it is sent.

boto3 would hold the zip in memory five times over, in base64 and as JSON, and for each Region again.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from layerforge.publish.cloud import AGAIN, Sent
from layerforge.publish.errors import PublishError

PIECE = 3 << 18
"""Bytes of the zip that are read at once; a multiple of three, so that pieces of base64 can be joined."""

_PLACE = b'"ZipFile": ""'
_EVENT = "before-call.lambda.PublishLayerVersion"


@dataclass(frozen=True)
class Content:
    """A request's body: JSON with an empty zip, and the zip that belongs there."""

    request: bytes
    path: Path
    size: int
    """Bytes of the zip."""

    def __len__(self) -> int:
        return len(self.request) + (self.size + 2) // 3 * 4

    def pieces(self) -> Iterator[tuple[bytes, int]]:
        """The body in order, with how many bytes of the zip are in each piece.

        Raises ``PublishError`` where the file is no longer what it was.
        """
        head, found, tail = self.request.partition(_PLACE)
        assert found, "the request has no room for the zip"
        yield head + found[:-1], 0
        with self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != self.size:
                raise PublishError(f"{self.path} was changed while it was published", hint=AGAIN)
            while data := file.read(PIECE):
                yield base64.b64encode(data), len(data)
        yield found[-1:] + tail, 0


class Body:
    """A body on its way, as the file that the HTTP client reads."""

    def __init__(self, content: Content, sent: Sent) -> None:
        self._length = len(content)
        self._pieces = content.pieces()
        self._sent = sent

    def __len__(self) -> int:
        return self._length

    def read(self, _size: int = -1) -> bytes:
        """The next piece, whatever its size: the client sends what it gets, and large pieces cost it less."""
        data, amount = next(self._pieces, (b"", 0))
        if amount:
            self._sent(amount)
        return data


_ONE_AT_A_TIME = threading.Lock()


@lru_cache(maxsize=8)
def _digest(content: Content) -> str:
    found = hashlib.sha256()
    for data, _ in content.pieces():
        found.update(data)
    return found.hexdigest()


def digest(content: Content) -> str:
    """SHA-256 of a body, which its signature covers. The same for every Region, so it is worked out once."""
    with _ONE_AT_A_TIME:
        return _digest(content)


@contextmanager
def streamed(client: Any, path: Path, size: int, sent: Sent) -> Iterator[None]:
    """Within, a request of ``client`` that makes a layer version takes its zip from ``path``."""

    def replace(params: dict[str, Any], **_: Any) -> None:
        content = Content(params["body"], path, size)
        # With this header, botocore signs without reading the body.
        params["headers"]["X-Amz-Content-SHA256"] = digest(content)
        params["body"] = Body(content, sent)

    client.meta.events.register(_EVENT, replace)
    try:
        yield
    finally:
        client.meta.events.unregister(_EVENT, replace)
