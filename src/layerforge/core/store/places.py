"""Where a team's values lie, by the address that a user gives."""

from __future__ import annotations

import re
from pathlib import Path

from layerforge.core.errors import UsageError
from layerforge.core.store.objects import FolderObjects, Objects

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):/")
_FORMS = "a store is s3://bucket/prefix, a folder, or, to read only, https://host/path"


def opened(url: str) -> Objects:
    """The objects of ``s3://bucket/prefix``, of ``https://host/path``, or of a folder, which need not be there yet.

    A folder is taken from the current one, and ``~`` is the home. Raises ``UsageError`` for what is none of these, and
    ``FarStoreError`` where S3 is named and there are no credentials.
    """
    scheme = _SCHEME.match(url)
    match scheme[1].lower() if scheme else "":
        case "":
            return FolderObjects(root=_folder(url))
        case "s3" if url.startswith("s3://"):
            from layerforge.core.store.s3 import s3_objects  # loads boto3, which takes a while

            return s3_objects(url)
        case "https" | "http":
            from layerforge.core.store.https import https_objects

            return https_objects(url)
        case other:
            raise UsageError(f"a store cannot lie at {other}:", hint=_FORMS)


def _folder(text: str) -> Path:
    try:
        folder = Path(text).expanduser().absolute()
        known = bool(text.strip()) and "\0" not in text
    except RuntimeError as error:
        raise UsageError(f"{text!r}: there is no such user", hint="name the folder by its whole path") from error
    if not known:
        raise UsageError(f"{text!r} is no place of a store", hint=_FORMS)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint=_FORMS)
    return folder
