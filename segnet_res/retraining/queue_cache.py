"""What was measured of pictures, kept by their content, so that a stopped run goes on.

A database of SQLite: a killed process loses at most what it was about to write, and several may use
it at once. Whatever cannot be read is measured again.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import zlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np

from segnet_res.conditions import Conditions
from segnet_res.data.lookalike import Look
from segnet_res.errors import DataError, StorageError
from segnet_res.inference.conversions import cache_folder
from segnet_res.retraining.queue_measures import Appearance, Doubt

# Raised when the same picture gives other numbers, so that all are measured again.
GENERATION = 1

# Of 5 kB each: the newest are kept.
MOST = 50_000

_TABLE = """
CREATE TABLE IF NOT EXISTS measured (
    key TEXT PRIMARY KEY, content TEXT NOT NULL, number INTEGER NOT NULL
)
"""
_SIDE = 64


def default_cache() -> Path:
    """Return the file in the user's cache folder."""
    return cache_folder().parent / "queue.sqlite"


class QueueCache:
    """Measures by what they depend on; use it in a ``with`` block.

    Args:
        path: The file; made where it is missing, and made again where it is no such file.

    Raises:
        StorageError: when it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._base = self._open()
        except (OSError, sqlite3.OperationalError) as error:
            raise StorageError(
                f"{path}: cannot be written ({error}); free some room or choose another file with "
                "--cache"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; the oldest measures go where there are too many."""
        with suppress(sqlite3.Error):
            self._base.execute(
                "DELETE FROM measured WHERE number <= (SELECT MAX(number) FROM measured) - ?",
                (MOST,),
            )
        self._base.close()

    def find_doubt(self, key: str) -> Doubt | None:
        """Return what a model does not know about a picture, or None."""
        content = self._find(f"doubt {key}")
        try:
            between, place = content["between"], content["place"]
            return Doubt(
                float(content["entropy"]),
                float(content["disagreement"]),
                None if between is None else (str(between[0]), str(between[1])),
                (int(place[0]), int(place[1])),
            )
        except (KeyError, TypeError, ValueError, IndexError):
            return None

    def keep_doubt(self, key: str, doubt: Doubt) -> None:
        """Keep it; nothing happens where there is no room."""
        self._keep(f"doubt {key}", asdict(doubt))

    def find_appearance(self, key: str) -> Appearance | None:
        """Return what a picture looks like, or None."""
        content = self._find(f"appearance {key}")
        try:
            bits = np.frombuffer(base64.b64decode(content["bits"]), np.uint64)
            small = np.frombuffer(zlib.decompress(base64.b64decode(content["small"])), np.uint8)
            if bits.shape != (4,):
                return None
            found = Look(bits, small.reshape(_SIDE, _SIDE))
            return Appearance(found, Conditions.from_dict(content["conditions"]))
        except (KeyError, TypeError, ValueError, zlib.error, DataError):
            return None

    def keep_appearance(self, key: str, appearance: Appearance) -> None:
        """Keep it; nothing happens where there is no room."""
        seen = appearance.look
        content = {
            "bits": base64.b64encode(seen.bits.tobytes()).decode(),
            "small": base64.b64encode(zlib.compress(seen.small.tobytes())).decode(),
            "conditions": appearance.conditions.to_dict(),
        }
        self._keep(f"appearance {key}", content)

    def _open(self) -> sqlite3.Connection:
        try:
            return _connect(self.path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            # Something else, or damaged: a cache may go.
            self.path.unlink(missing_ok=True)
            return _connect(self.path)

    def _find(self, key: str) -> dict[str, Any]:
        with suppress(sqlite3.Error, ValueError):
            row = self._base.execute(
                "SELECT content FROM measured WHERE key = ?", (_full(key),)
            ).fetchone()
            content = json.loads(row[0]) if row else None
            if isinstance(content, dict):
                return content
        return {}

    def _keep(self, key: str, content: dict[str, Any]) -> None:
        # Without room it is measured again the next time.
        with suppress(sqlite3.Error):
            self._base.execute(
                "INSERT OR REPLACE INTO measured VALUES "
                "(?, ?, 1 + (SELECT COALESCE(MAX(number), 0) FROM measured))",
                (_full(key), json.dumps(content)),
            )


def _connect(path: Path) -> sqlite3.Connection:
    # Each statement is written at once. Threads take turns: whoever drives the ranking.
    base = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        base.execute(_TABLE)
        base.execute("CREATE INDEX IF NOT EXISTS numbers ON measured (number)")
        base.execute("SELECT key, content, number FROM measured LIMIT 1").fetchone()
    except BaseException:
        base.close()
        raise
    return base


def _full(key: str) -> str:
    return f"{GENERATION} {key}"
