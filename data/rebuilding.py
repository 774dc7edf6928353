# SPDX-License-Identifier: MIT
"""What the scripts that rebuild the embedded data share: get a source, compare, write.

pip fetches a source, so that proxies, indexes and certificates come from its configuration. It is
given the sha256 beforehand and refuses any other file. To read a name and a version pip runs the
setup.py of a source package; nothing of a wheel is run.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

UNREACHABLE = "no package index could be reached"  # the tests tell this failure from all others


class RebuildError(Exception):
    """What went wrong, for the one line that the user gets to see."""


@dataclass(frozen=True)
class Source:
    """A file of the package index.

    Attributes:
        requirement: what pip is asked for, ``name==version``.
        file: the name under which pip stores it; its end says whether it is a wheel.
        sha256: of the file, in hexadecimal.
    """

    requirement: str
    file: str
    sha256: str

    def download(self, folder: Path) -> Path:
        """Have pip put the file into `folder`; returns where it is."""
        pinned = folder / "requirements.txt"  # the one way to tell `pip download` a hash
        pinned.write_text(f"{self.requirement} --hash=sha256:{self.sha256}\n", encoding="ascii")
        kind = "--only-binary" if self.file.endswith(".whl") else "--no-binary"
        command = [sys.executable, "-m", "pip", "download", "--require-hashes", "--no-deps"]
        command += [kind, self.requirement.partition("==")[0], "--progress-bar", "off"]
        command += ["--dest", str(folder), "--requirement", str(pinned)]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
        if done.returncode != 0:
            raise RebuildError(self.explain(done.stdout + "\n" + done.stderr))
        return folder / self.file

    def explain(self, output: str) -> str:
        """One line for the end of a failed pip run."""
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:]
        last = errors[-1] if errors else "no message"
        if "No module named pip" in output:
            return f"this Python has no pip; download {self.file} by other means and use --source"
        if "DO NOT MATCH THE HASHES" in output:
            return f"the package index offers a {self.file} with another sha256 than {self.sha256}"
        silence = "No matching distribution", "ConnectionError", "Timeout", "ProxyError"
        if any(word in output for word in (*silence, "HTTP error")):
            named = re.search(r"(?:Looking in|Ignoring) indexes: (.+)", output)
            return f"{UNREACHABLE} ({named[1] if named else 'PyPI'}): {last}"
        return f"pip download failed: {last}"

    def read(self, path: Path) -> bytes:
        """The bytes of a copy at `path`, which has to be the very file."""
        packed = path.read_bytes()
        found = hashlib.sha256(packed).hexdigest()
        if found != self.sha256:
            raise RebuildError(f"{path}: sha256 is {found}, expected {self.sha256}")
        return packed


def committed_text(path: Path) -> str:
    """The table inside the `.csv.gz` at `path`."""
    return gzip.decompress(path.read_bytes()).decode("ascii")


def require_writable(path: Path) -> None:
    """Tell before a download, not after it, that `path` cannot be written."""
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise RebuildError(f"cannot write {path}")


def require_equal(path: Path, committed: str, rebuilt: str, source: str) -> None:
    """Name the first line in which two texts differ; `source` says where the second is from."""
    pairs = zip_longest(committed.split("\n"), rebuilt.split("\n"))
    for number, (old, new) in enumerate(pairs, start=1):
        if old != new:
            raise RebuildError(f"{path}: line {number}: the file has {old!r}, {source} {new!r}")


def write(path: Path, text: str) -> None:
    """Write `text` to `path`, gzipped without a time stamp, completely or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # same folder: the rename is atomic
    try:
        part.write_bytes(gzip.compress(text.encode("ascii"), compresslevel=9, mtime=0))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
