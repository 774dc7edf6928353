"""Answers of services, each a file that is whole or not there.

A file is one line of JSON (SHA-256 of the rest, status, query without key), then the answer's
bytes. It lies in the platform's cache folder, or where ``SCRATCHML_CACHE_DIR`` says; deleting it
costs a download and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from scratchml.errors import ScratchmlError
from scratchml.files import atomic_write
from scratchml.weather.client import Answer

#: Seconds for which an answer about recent days, which may still change, is good.
FRESH = 24 * 3600


@dataclass(frozen=True)
class Entry:
    """One answer's place in the cache.

    Attributes:
        name: what a person may read from the file's name.
        url, params: the query, without a key.
    """

    service: str
    name: str
    url: str
    params: Mapping[str, str]

    @property
    def query(self) -> str:
        """The query as text, the same whatever the parameters' order."""
        return json.dumps([self.url, sorted(self.params.items())])

    @property
    def file(self) -> Path:
        digest = hashlib.sha256(self.query.encode()).hexdigest()[:32]
        return Path(self.service) / f"{re.sub(r'[^A-Za-z0-9-]+', '_', self.name)[:60]}-{digest}"


class Cache:
    """A folder of answers.

    Args:
        folder: ``None`` for the one of the environment or the platform.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()
        self.damaged: list[Path] = []

    def load(self, entry: Entry, *, settled: bool = True) -> Answer | None:
        """The stored answer; ``None`` if there is none, it is damaged, or too old to be good.

        Args:
            settled: what it tells of will not change any more, so its age does not matter.
        """
        path = self.folder / entry.file
        try:
            contents = path.read_bytes()
            age = time.time() - path.stat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not settled and not 0 <= age < FRESH:
            return None
        head, _, body = contents.partition(b"\n")
        try:
            about = json.loads(head)
            whole = about["sha256"] == hashlib.sha256(body).hexdigest()
            if whole and about["query"] == entry.query:
                return Answer(int(about["status"]), body, {})
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        self.damaged.append(path)
        return None

    def store(self, entry: Entry, answer: Answer) -> None:
        """Keep an answer.

        Raises:
            ScratchmlError: the folder cannot be written to.
        """
        sha256 = hashlib.sha256(answer.body).hexdigest()
        about = {"sha256": sha256, "status": answer.status, "query": entry.query}
        contents = json.dumps(about).encode() + b"\n" + answer.body
        try:
            atomic_write(self.folder / entry.file, contents)
        except OSError as error:
            raise ScratchmlError(
                f"the cache {self.folder} cannot be written to ({error.strerror}): free some space "
                "or name another folder in the variable SCRATCHML_CACHE_DIR"
            ) from None


def default_folder() -> Path:
    """Where answers are kept."""
    chosen = os.environ.get("SCRATCHML_CACHE_DIR")
    return Path(chosen) if chosen else platformdirs.user_cache_path("scratchml", False) / "weather"
