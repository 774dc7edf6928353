"""The embedded exercises are what data/README.md says, and a pickle is read without running it.

Not covered: whether the recordings are what their labels say.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rebuild_exercises
import rebuilding
from conftest import leave_out
from hypothesis import given
from hypothesis import strategies as st

DATA = Path(__file__).resolve().parent.parent / "data"
EXERCISES = DATA / "exercises.csv.gz"
README = (DATA / "README.md").read_text(encoding="utf-8")
KEYS = ["subject", "exercise", "side"]


@pytest.fixture(scope="module")
def samples() -> pd.DataFrame:
    return pd.read_csv(EXERCISES)


# What the file is.


def test_columns_and_rows(samples: pd.DataFrame) -> None:
    assert ",".join(samples.columns) == rebuild_exercises.HEADER
    assert len(samples) == 69_921
    assert not samples.isna().to_numpy().any()


def test_every_person_does_every_exercise_with_both_arms_once(samples: pd.DataFrame) -> None:
    recordings = samples[KEYS].drop_duplicates()
    assert len(recordings) == 10 * 7 * 2
    assert set(samples["subject"]) == set(range(1, 11))
    assert set(samples["exercise"]) == set(rebuild_exercises.EXERCISES.values())
    assert set(samples["side"]) == {"left", "right"}


def test_rows_are_sorted_and_25_a_second(samples: pd.DataFrame) -> None:
    expected = samples.sort_values([*KEYS, "time"], kind="stable")
    assert (expected.index == samples.index).all()
    for _, recording in samples.groupby(KEYS):
        hundredths = (recording["time"] * 100).round().astype(int).tolist()
        assert hundredths == list(range(0, 4 * len(recording), 4))
        assert 19 * 25 - 1 <= len(recording) <= 20 * 25


@pytest.mark.parametrize("axis", ["ax", "ay", "az"])
def test_accelerations_are_thousandths_in_the_range_of_the_readme(
    samples: pd.DataFrame, axis: str
) -> None:
    values = samples[axis]
    assert f"| {values.min()} to {values.max()} |" in README
    assert (values == values.round(3)).all()


def test_the_readme_has_the_right_counts_of_samples(samples: pd.DataFrame) -> None:
    short = {name: abbreviation for abbreviation, name in rebuild_exercises.EXERCISES.items()}
    for name, count in samples["exercise"].value_counts().items():
        (line,) = [line for line in README.splitlines() if line.startswith(f"| `{name}`")]
        assert line.endswith(f"| {short[str(name)]} | {count:,} |")


def test_a_hanging_arm_reads_one_g_of_the_wrist_s_own_sign(samples: pd.DataFrame) -> None:
    """Gravity is in the data, and the wrists are mirror images: README.md says so."""
    means = samples.groupby(KEYS)[["ax", "ay"]].mean().reset_index()
    sign = np.where(means["side"] == "left", 1, -1)
    hanging = means["exercise"].isin(["pendulum", "lower trapezius row", "bent-over row"])
    assert (sign * means["ax"])[hanging].between(0.5, 1.25).all()
    level = means["exercise"].isin(["internal rotation", "external rotation"])
    assert means["ay"][level].between(0.6, 1.05).all()


def test_the_notice_that_the_licence_asks_for_is_there() -> None:
    notice = (DATA / "LICENSE-seglearn.txt").read_text(encoding="ascii")
    assert notice.startswith("Copyright (c) 2018, David M. Burns\nAll rights reserved.\n")
    assert "Redistributions of source code must retain the above copyright notice" in notice
    assert 'THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"' in notice


# How it is made.


def contents(**changes: Any) -> dict[str, Any]:
    """A small stand-in for what the source holds: two recordings, the later one first."""
    first = np.zeros((5, 6)), np.full((3, 6), 9.0)
    first[0][:, :3] = np.array(
        [[-0.0004, 0.0005, 0.0015], [7, 7, 7], [1, -2, 3], [8, 8, 8], [0] * 3]
    )
    return {
        "X": [first[1], first[0]],
        "y": np.array([6, 1]),
        "subject": np.array([2, 1]),
        "side": np.array([1.0, 0.0]),
        "X_labels": rebuild_exercises.COLUMNS,
        "y_labels": list(rebuild_exercises.EXERCISES),
        **changes,
    }


def test_every_second_sample_is_kept_in_thousandths() -> None:
    assert rebuild_exercises.rebuild(contents()) == (
        "subject,side,exercise,time,ax,ay,az\n"
        "1,left,abduction,0.00,0.000,0.000,0.002\n"  # halves go to the even thousandth
        "1,left,abduction,0.04,1.000,-2.000,3.000\n"
        "1,left,abduction,0.08,0.000,0.000,0.000\n"
        "2,right,bent-over row,0.00,9.000,9.000,9.000\n"
        "2,right,bent-over row,0.04,9.000,9.000,9.000\n"
    )


def test_twenty_seconds_are_kept() -> None:
    long = contents(X=[np.zeros((3000, 6)), np.zeros((998, 6))])
    lines = rebuild_exercises.rebuild(long).splitlines()
    assert sum(line.startswith("2,") for line in lines) == 500
    assert sum(line.startswith("1,") for line in lines) == 499


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"X_labels": ["az", "ay", "ax"]}, "other sensors or exercises"),
        ({"y_labels": ["PEN"]}, "other sensors or exercises"),
        ({"X": []}, "another layout"),
        ({"y": np.array([7, 1])}, "another layout"),
        ({"subject": None}, "another layout"),
    ],
)
def test_another_layout_is_refused(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(rebuilding.RebuildError, match=expected):
        rebuild_exercises.rebuild(contents(**changes))


@pytest.mark.network
def test_all_samples_can_be_rebuilt_from_the_published_source() -> None:
    # One retry and a minute of patience: enough for a slow network, and no run hangs on a dead one.
    command = [sys.executable, str(DATA / "rebuild_exercises.py"), "--check"]
    patience = {"PIP_RETRIES": "1", "PIP_TIMEOUT": "60", "PIP_DEFAULT_TIMEOUT": "60"}
    done = subprocess.run(command, env={**os.environ, **patience}, capture_output=True, text=True)
    if rebuilding.UNREACHABLE in done.stderr:
        leave_out(f"{done.stderr.strip()}; connect to it and repeat: make test")
    assert done.returncode == 0, done.stderr
    assert "all 69,921 samples are equal" in done.stdout


# A pickle is read, not run.


def npy(saved: object, protocol: int = 2) -> bytes:
    """A ``.npy`` file like the source's: one object, pickled as part of an array."""
    stream = io.BytesIO()
    array = np.empty((), dtype=object)
    array[()] = saved
    header = {"descr": "|O", "fortran_order": False, "shape": ()}
    np.lib.format.write_array_header_1_0(stream, header)
    pickle.dump(array, stream, protocol)
    # what numpy 1 wrote; numpy 2 calls the same module by another name
    return stream.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


class Trap:
    """Calls ``function(*arguments)`` when it is unpickled in the ordinary way."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def test_numpy_s_own_file_of_the_same_contents_is_read() -> None:
    read = rebuild_exercises.unpickle(io.BytesIO(npy(contents())))
    assert rebuild_exercises.rebuild(read) == rebuild_exercises.rebuild(contents())


@given(st.sampled_from(["f8", "i8", "f4"]), st.lists(st.integers(-9, 9), min_size=1, max_size=30))
def test_arrays_come_back_as_they_were(dtype: str, values: list[int]) -> None:
    array = np.array(values, dtype) / 7 if dtype[0] == "f" else np.array(values, dtype)
    read = rebuild_exercises.unpickle(io.BytesIO(npy({"array": array})))["array"]
    assert read.dtype == array.dtype
    assert read.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.mkdir, ("trapped",)),
        (eval, ("__import__('os').mkdir('trapped')",)),
        (np.save, ("trapped", np.zeros(1))),
        (getattr, ("trapped", "upper")),
        (bytes.fromhex, ("00",)),
    ],
)
def test_nothing_that_a_pickle_names_is_called(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    trap = npy({"X": Trap(function, *arguments)})
    with pytest.raises(rebuilding.RebuildError, match=r"asks for \S+, which is refused"):
        rebuild_exercises.unpickle(io.BytesIO(trap))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (npy({})[:-1], "cannot be read"),
        (npy([1, 2]), "holds no dictionary"),
        (npy({"X": b"\x80"}).replace(b"latin1", b"utf-16"), "bytes in the encoding 'utf-16'"),
        (npy({}).replace(b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"), "an array of the kind"),
        (npy({}).replace(b"|O", b"<i8"), "is not one Python object"),
    ],
    ids=["cut off", "a list", "another encoding", "a subclass", "numbers"],
)
def test_other_files_are_refused(file: bytes, expected: str) -> None:
    with pytest.raises(rebuilding.RebuildError, match=expected):
        rebuild_exercises.unpickle(io.BytesIO(file))


# The command: one line of complaint, nothing half-written.


def wheel(path: Path, monkeypatch: pytest.MonkeyPatch, member: str, saved: object) -> Path:
    """Write a small stand-in for the source package and have the script accept it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, npy(saved))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(rebuild_exercises, "WHEEL", replace(rebuild_exercises.WHEEL, sha256=sha256))
    return path


def test_written_then_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = wheel(tmp_path / "source.whl", monkeypatch, rebuild_exercises.MEMBER, contents())
    output = tmp_path / "exercises.csv.gz"
    command = ["--source", str(source), "-o", str(output)]
    assert rebuild_exercises.main(command) == 1
    assert "5 samples came out, expected 69,921" in capsys.readouterr().err
    assert not output.exists()

    monkeypatch.setattr(rebuild_exercises, "ROWS", 5)
    assert rebuild_exercises.main(command) == 0
    first = output.read_bytes()
    assert gzip.decompress(first).decode() == rebuild_exercises.rebuild(contents())
    assert rebuild_exercises.main(command) == 0
    assert output.read_bytes() == first
    assert rebuild_exercises.main([*command, "--check"]) == 0

    output.write_bytes(gzip.compress(gzip.decompress(first).replace(b"-2.000", b"-2.001")))
    capsys.readouterr()
    assert rebuild_exercises.main([*command, "--check"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"rebuild_exercises.py: {output}: line 3: ")
    assert said.count("\n") == 1


def test_a_source_without_the_recordings_or_with_another_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "exercises.csv.gz"
    for name, member in (("one.whl", "seglearn/base.py"), ("two.whl", rebuild_exercises.MEMBER)):
        source = wheel(tmp_path / name, monkeypatch, member, contents())
        if name == "two.whl":
            monkeypatch.undo()  # the published sum again
        assert rebuild_exercises.main(["--source", str(source), "-o", str(output)]) == 1
        said = capsys.readouterr().err
        assert ("sha256 is" if name == "two.whl" else "has no seglearn/data/") in said
        assert said.count("\n") == 1
        assert not output.exists()
