"""A shared store that a build can do without: it goes on where the place fails in the middle, and says so once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from layerforge.core.progress import Progress
from layerforge.core.store.objects import FarReadOnlyError, FarStoreError
from layerforge.core.store.protocol import Made, Store


@dataclass(frozen=True, kw_only=True)
class LenientStore:
    """``store`` as long as it can be used. What was made before it failed is kept near, and can be pushed later."""

    store: Store
    progress: Progress
    _unread: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)
    _unwritten: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    @property
    def shared(self) -> bool:
        """Whether others will read what is put here."""
        return self.store.shared and not self._unwritten.is_set()

    def get(self, kind: str, key: str) -> bytes | None:
        """The value; ``None`` from the moment on when the place could no longer be read."""
        try:
            return None if self._unread.is_set() else self.store.get(kind, key)
        except FarStoreError as error:
            self._gone(self._unread, error, "what it may have is made here")
            return None

    def holds(self, kind: str, key: str) -> bool:
        """Whether there is a value; ``False`` from that moment on."""
        try:
            return not self._unread.is_set() and self.store.holds(kind, key)
        except FarStoreError as error:
            self._gone(self._unread, error, "what it may have is made here")
            return False

    def put(self, kind: str, key: str, value: bytes, made: Made | None = None) -> None:
        """Keeps a value, as long as the place takes any."""
        try:
            if not self._unwritten.is_set():
                self.store.put(kind, key, value, made)
        except FarReadOnlyError as error:
            self._gone(self._unwritten, error, "it is read all the same")
        except FarStoreError as error:
            self._gone(self._unwritten, error, "`layerforge cache push` puts what is made here there later")

    def _gone(self, what: threading.Event, error: FarStoreError, then: str) -> None:
        if not what.is_set():
            what.set()
            # A warning is one line, and a hint may speak of what stands below.
            why = f": {error.details[0]}" if error.details else ""
            hint = f" ({error.hint})" if error.hint else ""
            self.progress.warn(f"{error.message}{why}; {then}{hint}")
