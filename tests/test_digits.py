"""The images as scikit-learn has them, and the data set that they make."""

from __future__ import annotations

import gzip
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from sklearn.datasets import load_digits

from scratchml import digits
from scratchml.digits import COLUMNS, Digits, Recipe, make_dataset
from scratchml.errors import ScratchmlError
from scratchml.rows import Dataset

examples = settings(deadline=None, max_examples=100)

HEADER = ",".join(COLUMNS)
IMAGE = ["0", "16", *["7"] * 62, "9"]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return make_dataset()


def write(path: Path, *lines: str) -> Path:
    path.write_bytes(gzip.compress("".join(line + "\n" for line in lines).encode()))
    return path


def with_cell(column: str, value: str) -> str:
    cells = dict(zip(COLUMNS, IMAGE, strict=True))
    return ",".join({**cells, column: value}.values())


# The images.


def test_images_and_labels_equal_scikit_learns() -> None:
    ours, theirs = digits.load(), load_digits()
    assert (ours.images.dtype, ours.labels.dtype) == (np.int32, np.int64)
    np.testing.assert_array_equal(ours.images, theirs.data)
    np.testing.assert_array_equal(ours.labels, theirs.target)


def test_columns_go_along_the_lines_of_the_image() -> None:
    places = {column: place for place, column in enumerate(COLUMNS)}
    assert [places[name] for name in ("p00", "p07", "p10", "p77", "label")] == [0, 7, 8, 63, 64]


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv.gz", HEADER, ",".join(IMAGE), with_cell("p00", "3"))
    ours = digits.load(path)
    assert ours.images[:, :3].tolist() == [[0, 16, 7], [3, 16, 7]]
    assert ours.labels.tolist() == [9, 9]


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([], "the columns must be p00 to p77, label"),
        ([HEADER.replace("p77", "p78"), ",".join(IMAGE)], "the columns must be"),
        ([HEADER.removesuffix(",label"), ",".join(IMAGE[1:])], "the columns must be"),
        ([HEADER], "no image below it"),
        ([HEADER, ",".join(IMAGE), ",".join(IMAGE[1:])], "line 3: 64 cells, needed are 65"),
        ([HEADER, ",".join([*IMAGE, "0"])], "line 2: 66 cells, needed are 65"),
        ([HEADER, ",".join(IMAGE), ""], "line 3: 1 cells"),
    ],
)
def test_a_file_that_is_no_table_of_images_is_refused(
    lines: list[str], complaint: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "wrong.csv.gz", *lines)
    with pytest.raises(ScratchmlError, match=complaint) as caught:
        digits.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("column", ["p00", "p34", "p77", "label"])
@pytest.mark.parametrize("value", ["17", "-1", "", " 1", "+1", "1.0", "nan", "01", "9" * 5000])
def test_a_cell_out_of_range_is_named(column: str, value: str, tmp_path: Path) -> None:
    path = write(tmp_path / "wrong.csv.gz", HEADER, ",".join(IMAGE), with_cell(column, value))
    with pytest.raises(ScratchmlError, match=f"line 3, column {column}: the value '") as caught:
        digits.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("column", "most"), [("p34", 16), ("label", 9)])
def test_the_ends_of_the_ranges(column: str, most: int, tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv.gz", HEADER, with_cell(column, "0"))
    digits.load(path)
    digits.load(write(path, HEADER, with_cell(column, str(most))))
    with pytest.raises(ScratchmlError, match=f"whole number 0 .. {most}$"):
        digits.load(write(path, HEADER, with_cell(column, str(most + 1))))


@pytest.mark.parametrize(
    "contents",
    [b"p00", gzip.compress(bytes(10**5))[:60], gzip.compress("ä".encode()), b"\x1f\x8b\x08"],
    ids=["plain", "cut short", "not ASCII", "a header only"],
)
def test_a_damaged_file_is_refused(contents: bytes, tmp_path: Path) -> None:
    path = tmp_path / "damaged.csv.gz"
    path.write_bytes(contents)
    with pytest.raises(ScratchmlError, match="not a whole gzipped CSV file") as caught:
        digits.load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digits.load(tmp_path / "missing.csv.gz")


def test_the_fingerprint_is_that_of_every_pixel_and_label() -> None:
    ours = digits.load()
    known = digits.fingerprint(ours)
    assert known == "7c1aa07bedb2b8d409607ccc44f6a2b99b7172248b5d137b172b9dda5a395c62"
    wider = Digits(ours.images.astype(np.int64).astype(np.int32), ours.labels.astype(np.int32))
    assert digits.fingerprint(wider) == known
    for changed in (ours.images, ours.labels):
        changed.flat[-1] += 1
        assert digits.fingerprint(ours) != known
        changed.flat[-1] -= 1


# The data set.


def test_the_parts_hold_all_images_with_their_labels(data: Dataset) -> None:
    source = load_digits()
    seen: list[int] = []
    for part in (data.train, data.validation, data.test):
        n = len(part)
        assert (part.counts.shape, part.counts.dtype) == ((n, 64), np.int32)
        assert (part.x.shape, part.x.dtype) == ((n, 64), np.float32)
        assert (part.y.shape, part.y.dtype) == ((n,), np.float32)
        assert part.index.dtype == np.int64
        np.testing.assert_array_equal(part.counts, source.data[part.index])
        np.testing.assert_array_equal(part.y, source.target[part.index])
        assert part.scaler is data.scaler
        seen += part.index.tolist()
    assert sorted(seen) == list(range(1_797))


@pytest.mark.parametrize(
    ("digit", "rows"), [(1, [91, 36, 55]), (8, [87, 35, 52])], ids=["182 ones", "174 eights"]
)
def test_the_default_shares(data: Dataset, digit: int, rows: list[int]) -> None:
    parts = (data.train, data.validation, data.test)
    assert [int((part.y == digit).sum()) for part in parts] == rows


def test_one_scaler_for_all_pixels_from_the_training_images(data: Dataset) -> None:
    """Three pixels are blank in every image: scaled one by one, they would become NaN.

    The mean is a whole count, as it has to be in integers.
    """
    values = data.train.counts.ravel().tolist()
    mean = math.fsum(values) / len(values)
    std = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))
    assert (data.scaler.names, data.scaler.resolution) == (("pixel",), (1,))
    assert data.scaler.mean == (round(mean),) == (5.0,)
    assert data.scaler.std == (pytest.approx(std, rel=1e-12),)
    assert (data.test.counts[:, 0] == 0).all()
    expected = (data.test.counts.astype(float) - 5) / std
    np.testing.assert_allclose(data.test.x, expected, rtol=1e-6, atol=1e-6)


def test_the_data_set_says_what_it_is(data: Dataset) -> None:
    assert data.classes == tuple("0123456789")
    assert data.fingerprint == digits.fingerprint(digits.load())
    assert data.recipe == Recipe(validation=0.2, test=0.3, seed=0)
    assert Recipe(**asdict(data.recipe)) == data.recipe


def test_choices_by_name_replace_those_of_a_recipe() -> None:
    ours = make_dataset(Recipe(test=0.25, seed=5), seed=6)
    assert ours.recipe == Recipe(test=0.25, seed=6)
    same = make_dataset(test=0.25, seed=6)
    np.testing.assert_array_equal(ours.test.index, same.test.index)


def test_a_given_scaler_is_used_as_it_is(data: Dataset) -> None:
    scaler = replace(data.scaler, mean=(8.0,), std=(4.0,))
    ours = make_dataset(scaler=scaler)
    assert ours.scaler is scaler
    np.testing.assert_array_equal(ours.train.x, (ours.train.counts - 8) / 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"names": ("dew_point",)},
        {"units": ("C",)},
        {"resolution": (100,)},
        {
            key: value * 2
            for key, value in [
                ("names", ("pixel",)),
                ("units", ("dots",)),
                ("resolution", (1,)),
                ("mean", (1.0,)),
                ("std", (1.0,)),
            ]
        },
    ],
)
def test_a_scaler_of_other_channels_is_refused(data: Dataset, changes: dict[str, Any]) -> None:
    with pytest.raises(ScratchmlError, match="an image holds"):
        make_dataset(scaler=replace(data.scaler, **changes))


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [
        ({"seed": -1}, "seed -1: it must be a whole number, 0 to"),
        ({"seed": 1.0}, "seed 1.0: it must be a whole number"),
        ({"seed": None}, "seed None: it must be"),
        ({"validation": 0.0}, "must be positive and sum to below 1"),
        ({"test": -0.3}, "must be positive and sum to below 1"),
        ({"validation": 0.5, "test": 0.5}, "must be positive and sum to below 1"),
        ({"validation": math.nan}, "validation nan: it must be a number"),
        ({"test": "half"}, "test 'half': it must be a number"),
        ({"test": 0.001}, None),
    ],
)
def test_choices_out_of_range_are_refused(choice: dict[str, Any], complaint: str | None) -> None:
    if complaint:
        with pytest.raises(ScratchmlError, match=complaint):
            Recipe(**choice)
    with pytest.raises(ScratchmlError, match=complaint or "no test row is left for class 0 of 178"):
        make_dataset(**choice)
