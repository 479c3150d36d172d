"""Client secrets that are worth nothing any more though they have not expired.

Each is an empty file in one folder, named after the secret and when it expires: that appears whole or not at
all, and servers that share the folder never lose what another wrote.
"""

import logging
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Final

from realtime_asr.runtime.clock import Clock

_LOG: Final = logging.getLogger(__name__)
_KEPT_SECONDS: Final = 7200
"""After a secret has expired: by so much the clock may be wrong for a while."""
_NAME: Final = re.compile(r"([0-9a-f]{32})\.([0-9]{1,15})")


class Revocations:
    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._known: dict[str, int] = {}
        """When they expire."""
        self._seen: set[str] = set()
        """The names of files."""
        self._complained: set[str] = set()
        self.look()

    def __contains__(self, secret_id: str) -> bool:
        return _digest(secret_id) in self._known

    def add(self, secret_id: str, expires_at: int) -> None:
        """Raises OSError where it cannot be written down; then this process alone knows."""
        digest = _digest(secret_id)
        self._known[digest] = expires_at
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / f"{digest}.{expires_at}").touch(mode=0o600)

    def look(self) -> None:
        """Learns what others wrote, and forgets what has expired. A thread may do this, one at a time."""
        before, self._seen = self._seen, self._files()
        for name in self._seen - before:
            self._read(name)
        long_ago = self._clock.unix() - _KEPT_SECONDS
        # A copy: others may add to it meanwhile.
        for digest, expires_at in self._known.copy().items():
            if expires_at < long_ago:
                self._forget(digest)

    def _files(self) -> set[str]:
        try:
            return set(os.listdir(self._folder))  # noqa: PTH208  paths of ten thousands take a tenth of a second
        except FileNotFoundError:
            return set()
        except OSError as error:
            self._complain(f"The revocations in '{self._folder}' cannot be read: {error.strerror}.")
            return set()

    def _read(self, name: str) -> None:
        if found := _NAME.fullmatch(name):
            self._known[found[1]] = int(found[2])
        else:
            self._complain(f"The file '{self._folder / name}' is no revocation and counts for nothing.")

    def _forget(self, digest: str) -> None:
        path = self._folder / f"{digest}.{self._known.pop(digest)}"
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self._complain(f"The file '{path}' cannot be removed: {error.strerror}.")

    def _complain(self, sentence: str) -> None:
        """Once, not every time one looks."""
        if sentence not in self._complained:
            self._complained.add(sentence)
            _LOG.warning("%s", sentence)


def _digest(secret_id: str) -> str:
    """Fit to name a file, whatever the id."""
    return sha256(secret_id.encode(errors="surrogatepass")).hexdigest()[:32]
