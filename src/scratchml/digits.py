"""Handwritten digits of 8x8 pixels: ten classes to tell apart, where the weather has two.

A row is an image, its 64 pixels line by line from the top left. A pixel is the number of dots with
ink, 0 to 16, in a block of 4x4 dots of the scan. All pixels are one channel, with one mean and one
deviation: some are blank in nearly every image, and would be blown up by a deviation of their own.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml.checks import check_shares, check_whole
from scratchml.errors import ScratchmlError
from scratchml.resources import find
from scratchml.rows import Dataset, Rows, Scaler
from scratchml.splits import by_class

EMBEDDED = "digits.csv.gz"

#: The one channel: name, unit, counts a unit.
CHANNEL = ("pixel", "dots", 1)

CLASSES = tuple("0123456789")

#: ``p27``: the pixel in line 2, column 7, both from 0.
PIXELS = tuple(f"p{line}{column}" for line in range(8) for column in range(8))
COLUMNS = (*PIXELS, "label")

#: What a cell may hold, for each column.
VALUES = {**dict.fromkeys(PIXELS, tuple(map(str, range(17)))), "label": CLASSES}


@dataclass(frozen=True, eq=False)
class Digits:
    """``images[n, 64]`` int32, 0 (blank) to 16, and ``labels[n]`` int64, 0 to 9."""

    images: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Recipe:
    """Every choice that turns images into a data set; stored with the model that came of it.

    Attributes:
        validation, test: share of the images, the same of each digit.
        seed: of the split.
    """

    validation: float = 0.2
    test: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, 0, 2**63)
        check_shares(self.validation, self.test)


def load(path: str | PathLike[str] | None = None) -> Digits:
    """Read images and labels from a gzipped CSV file.

    Args:
        path: the file; ``None`` for the embedded 1,797 images.

    Raises:
        ScratchmlError: the file is damaged, its columns are not ``COLUMNS``, or a cell is not a
            whole number in its range. The message names the file, the line and the column.
        OSError: the file cannot be read.
    """
    source = Path(path) if path is not None else find("data") / EMBEDDED
    try:
        header, *lines = gzip.decompress(source.read_bytes()).decode("ascii").splitlines() or [""]
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise ScratchmlError(f"{source}: this is not a whole gzipped CSV file ({error})") from None
    if tuple(header.split(",")) != COLUMNS:
        raise ScratchmlError(f"{source}: the columns must be {COLUMNS[0]} to {PIXELS[-1]}, label")
    if not lines:
        raise ScratchmlError(f"{source}: there is a header, but no image below it")
    try:
        table = np.array([_numbers(line, place) for place, line in enumerate(lines, start=2)])
    except ScratchmlError as error:
        raise ScratchmlError(f"{source}: {error}") from None
    return Digits(table[:, :-1].astype(np.int32), table[:, -1].astype(np.int64))


def fingerprint(digits: Digits) -> str:
    """SHA-256 of pixels and labels: the same images, the same 64 characters, from any file."""
    digest = hashlib.sha256(digits.images.astype("<i4").tobytes())
    digest.update(digits.labels.astype("<i8").tobytes())
    return digest.hexdigest()


def make_dataset(
    recipe: Recipe | None = None, *, scaler: Scaler | None = None, **choices: Any
) -> Dataset:
    """Share the embedded images out to training, validation and test.

    Args:
        recipe: the choices; or name them one by one, ``make_dataset(seed=1)``.
        scaler: of a model that exists already; by default fitted to the training rows.

    Raises:
        ScratchmlError: a choice is out of range, a part is left without some digit, or the scaler
            is one of other channels.
    """
    recipe = Recipe(**{**(asdict(recipe) if recipe else {}), **choices})
    if scaler and scaler.channels != (CHANNEL,):
        raise ScratchmlError(
            f"the model reads {', '.join(scaler.names)} in {scaler.resolution} counts a unit; "
            f"an image holds {CHANNEL}"
        )
    digits = load()
    rng = np.random.default_rng(recipe.seed)
    parts = by_class(digits.labels, recipe.validation, recipe.test, rng)
    name, unit, resolution = CHANNEL
    # In integers the mean is a whole count, and one count is a sixth of a deviation here: with a
    # mean between two counts the int8 network would read other inputs than the float one.
    fitted = Scaler.fit(digits.images[parts[0]], [name], [unit], [resolution])
    scaler = scaler or replace(fitted, mean=(float(round(fitted.mean[0])),))
    train, validation, test = (
        Rows(digits.images[part], digits.labels[part].astype(np.float32), part, scaler)
        for part in parts
    )
    return Dataset(train, validation, test, scaler, recipe, CLASSES, fingerprint(digits))


def _numbers(line: str, place: int) -> list[int]:
    """The cells of a line of the file; line 1 is the header."""
    cells = line.split(",")
    if len(cells) != len(COLUMNS):
        raise ScratchmlError(f"line {place}: {len(cells)} cells, needed are {len(COLUMNS)}")
    for column, cell in zip(COLUMNS, cells, strict=True):
        if cell not in VALUES[column]:
            raise ScratchmlError(
                f"line {place}, column {column}: the value {cell!r} is not a whole number "
                f"0 .. {VALUES[column][-1]}"
            )
    return list(map(int, cells))
