"""The front end in numpy: against exact fractions and roots, and what it refuses."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import ROOT
from front_end_models import AXES, front_end, front_end_model, some_samples
from hypothesis import example, given
from hypothesis import strategies as st

import scratchml as sml
from scratchml import front_end as module
from scratchml.errors import ScratchmlError
from scratchml.front_end import MAX_WINDOW, STATISTICS, Channel, FrontEnd, integer_root
from scratchml.rows import Dataset, Rows

INT32 = st.integers(-(2**31), 2**31 - 1)
#: Counts that sensors give, counts that they do not, and the ends.
COUNTS = st.one_of(
    st.integers(-2000, 2000), INT32, st.sampled_from([-(2**31), -(2**30), -1, 0, 1, 2**31 - 1])
)
WINDOWS = st.lists(COUNTS, min_size=1, max_size=60)


# --- the definitions, word by word ------------------------------------------------------------


def nearest_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def nearest_root(square: Fraction) -> int:
    """The integer nearest to a root, ties upwards: no root is formed."""
    root = math.isqrt(math.floor(square))
    return root + (square >= (root + Fraction(1, 2)) ** 2)


def defined(counts: list[int]) -> dict[str, int]:
    """Every statistic of a window, in exact arithmetic."""
    n = len(counts)
    limit = (2**30 - 1) // n
    x = [min(max(count, -limit), limit) for count in counts]
    mean = Fraction(sum(x), n)
    pairs = list(pairwise(x))
    return {
        "mean": nearest_up(mean) if mean >= 0 else -nearest_up(-mean),
        "minimum": min(x),
        "maximum": max(x),
        "range": max(x) - min(x),
        "std": nearest_root(sum((v - mean) ** 2 for v in x) / n),
        "rms": nearest_root(Fraction(sum(v * v for v in x), n)),
        "mean_abs_diff": nearest_up(Fraction(sum(abs(b - a) for a, b in pairs), max(n - 1, 1))),
        "zero_crossings": sum((a < 0) != (b < 0) for a, b in pairs),
        "mean_crossings": sum((a < mean) != (b < mean) for a, b in pairs),
    }


@given(WINDOWS)
@example([2**31 - 1, -(2**31)] * 30)
@example([-(2**31)])
@example([1, 2])  # a mean of 1.5, a deviation of 0.5
@example([-1, -2])
@example([-1, 0])  # crosses zero
@example([0, 1, 0])  # differences of 1 and 1
@example([0, 1, 1])  # a mean difference of 0.5
def test_every_statistic_is_what_its_definition_says(counts: list[int]) -> None:
    one = FrontEnd((Channel("x", "", 1),), len(counts), 1, STATISTICS)
    (row,) = one.features(np.array(counts).reshape(1, -1, 1)).tolist()
    assert dict(zip(STATISTICS, row, strict=True)) == defined(counts)


@pytest.mark.parametrize("window", [2, 3, 4095, MAX_WINDOW])
@pytest.mark.parametrize("name", STATISTICS)
def test_the_widest_windows_of_the_largest_counts(name: str, window: int) -> None:
    """What the proof of no overflow is about; ends in turn, halves, and one that stands out."""
    ends = [2**31 - 1, -(2**31)]
    windows = [
        (ends * window)[:window],
        [ends[0]] * (window // 2) + [ends[1]] * (window - window // 2),
        [ends[1]] * window,
        [ends[0]] * (window - 1) + [ends[1]],
    ]
    one = FrontEnd((Channel("x", "", 1),), window, 1, (name,))
    given_ = one.features(np.array(windows)[:, :, None])[:, 0].tolist()
    assert given_ == [defined(counts)[name] for counts in windows]


def test_the_bounds_that_the_proof_states() -> None:
    for n in range(1, MAX_WINDOW + 1):
        limit = (2**30 - 1) // n
        assert n * limit < 2**30 and (n - 1) * 2 * limit + n < 2**31
        assert 4 * n * n * limit * limit <= 2**62
        assert math.isqrt(4 * n * n * limit * limit) + n < 2**32


@given(st.integers(0, 2**62))
@example(0)
@example(2**62)
@example((2**31 - 1) ** 2)
@example((2**31 - 1) ** 2 - 1)
def test_the_root_is_exact(radicand: int) -> None:
    assert int(integer_root(radicand)) == math.isqrt(radicand)


def test_the_root_is_exact_around_every_kind_of_square() -> None:
    roots = [r for shift in range(31) for r in ((1 << shift) - 1, 1 << shift, (1 << shift) + 1)]
    near = [s for r in roots for s in (r * r - 1, r * r, r * r + 1) if 0 <= s <= 2**62]
    assert integer_root(near).tolist() == [math.isqrt(s) for s in near]


def test_they_mean_what_floats_say() -> None:
    """Within half a count: the names are those of statistics, not of something alike."""
    samples = some_samples(500)
    names = ("mean", "range", "std", "rms", "mean_abs_diff")
    one = front_end(names, window=50, step=25)
    windows = np.stack([samples[start : start + 50] for start in range(0, 451, 25)]).astype(float)
    floats = np.stack(
        [
            windows.mean(axis=1),
            np.ptp(windows, axis=1),
            windows.std(axis=1),
            np.sqrt((windows**2).mean(axis=1)),
            np.abs(np.diff(windows, axis=1)).mean(axis=1),
        ],
        axis=2,
    )
    assert np.abs(one.stream(samples) - floats.reshape(len(windows), -1)).max() <= 0.5 + 1e-9


def test_the_page_names_every_statistic_and_tests_that_are_there() -> None:
    page = (ROOT / "docs" / "front_end.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d) \| `(\w+)` \| \S", page, re.MULTILINE)
    assert rows == [(str(bit), name) for bit, name in enumerate(STATISTICS)]
    named = re.findall(r"`(test_\w+\.py)(?:::(\w+))?`", page)
    assert len(named) >= 6
    for file, name in named:
        text = (ROOT / "tests" / file).read_text("utf-8")
        assert f"def {name}(" in text if name else text, (file, name)


# --- windows of a stream ----------------------------------------------------------------------


@pytest.mark.parametrize(("window", "step"), [(4, 4), (4, 1), (4, 7), (1, 1), (1, 3), (10, 3)])
@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 10, 11, 40])
def test_a_stream_is_cut_every_step(window: int, step: int, n: int) -> None:
    one = front_end((), window=window, step=step)
    samples = some_samples(n)
    starts = range(0, n - window + 1, step)
    expected = [samples[start : start + window].ravel().tolist() for start in starts]
    assert one.stream(samples).tolist() == expected
    assert one.stream(samples).shape == (len(expected), one.inputs)


def test_raw_windows_are_not_clamped() -> None:
    ends = np.array([[[-(2**31), 2**31 - 1, 0]] * 4])
    assert front_end((), window=4).features(ends).tolist() == [[-(2**31), 2**31 - 1, 0] * 4]


def test_features_stand_channel_by_channel() -> None:
    one = front_end(("maximum", "mean"), window=2)
    windows = [[[1, 10, 100], [3, 30, 300]]]
    assert one.statistics == ("mean", "maximum")  # in the order of the C struct's bits
    assert one.features(windows).tolist() == [[2, 3, 20, 30, 200, 300]]
    names = [channel.name for channel in one.feature_channels]
    assert names == [f"{axis.name} {name}" for axis in AXES for name in one.statistics]


def test_what_features_are_counts_of() -> None:
    one = front_end(("std", "zero_crossings", "mean_crossings"))
    assert one.feature_channels[:3] == (
        Channel("ax std", "g", 1000),
        Channel("ax zero_crossings", "crossings", 1),
        Channel("ax mean_crossings", "crossings", 1),
    )
    assert front_end(()).feature_channels == AXES


def test_many_windows_go_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    one, samples = front_end(STATISTICS, window=20, step=1), some_samples(300)
    whole = one.stream(samples)
    monkeypatch.setattr(module, "BLOCK", 20 * 3 * 7 + 1)
    assert (one.stream(samples) == whole).all()


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FrontEnd((), 5, 1), "without channels"),
        (lambda: FrontEnd((AXES[0], AXES[0]), 5, 1), "the channel 'ax' is there twice"),
        (lambda: FrontEnd(AXES, 0, 1), "window 0: it must be a whole number, 1 to 4096"),
        (lambda: FrontEnd(AXES, MAX_WINDOW + 1, 1), "window 4097"),
        (lambda: FrontEnd(AXES, 5, 0), "step 0: it must be a whole number, 1 to 65535"),
        (lambda: FrontEnd(AXES, 5, 2**16), "step 65536"),
        (lambda: FrontEnd(AXES, 5.0, 1), "window 5.0"),  # type: ignore[arg-type]
        (lambda: FrontEnd(AXES, True, 1), "window True"),
        (lambda: FrontEnd(AXES, 5, 1, ("median",)), "'median' is not known: there are mean, min"),
        (lambda: FrontEnd(AXES, 5, 1, ("std", "std")), "the statistic 'std' is there twice"),
        (lambda: FrontEnd(tuple(Channel(f"c{i}", "", 1) for i in range(17)), 4096, 1), "69632"),
        (lambda: Channel(" ", "g", 1), "it needs a name"),
        (lambda: Channel("x", 3, 1), "unit 3"),  # type: ignore[arg-type]
        (lambda: Channel("x", "g", 0), "x: counts a unit 0: it must be"),
        (lambda: Channel("x", "g", 2**31), "2147483648"),
        (lambda: front_end().features(np.zeros((1, 7, 3), int)), r"takes \[n, 20, 3\] int32"),
        (lambda: front_end().stream(np.zeros((9, 2), int)), r"takes \[n, 3\] int32"),
        (lambda: front_end().stream(np.zeros((9, 3))), "float64: they must be int32"),
        (lambda: front_end().stream(np.full((9, 3), 2**31)), "they must be int32"),
    ],
)
def test_what_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ScratchmlError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("statistics", [STATISTICS, (), ("rms",)])
def test_it_survives_json(statistics: tuple[str, ...]) -> None:
    one = front_end(statistics)
    assert FrontEnd.from_dict(json.loads(json.dumps(one.to_dict()))) == one


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("channels", None),
        ("channels", 3),
        ("channels", ["ax"]),
        ("channels", [{"name": "ax", "unit": "g"}]),
        ("channels", [{"name": "ax", "unit": "g", "resolution": "1000"}]),
        ("window", "20"),
        ("window", None),
        ("step", 2.5),
        ("statistics", None),
        ("statistics", "mean"),
        ("statistics", [["mean"]]),
    ],
)
def test_damaged_json_is_refused(key: str, value: object) -> None:
    for values in ({**front_end().to_dict(), key: value}, {}):
        with pytest.raises(ScratchmlError):
            FrontEnd.from_dict(values)


@pytest.mark.parametrize("values", [3, "x", [], [1], True])
def test_json_of_another_kind_is_refused(values: Any) -> None:
    with pytest.raises(ScratchmlError, match="cannot be read"):
        FrontEnd.from_dict(values)


# --- with a model -----------------------------------------------------------------------------


def test_a_model_keeps_it(tmp_path: Any) -> None:
    model = front_end_model(STATISTICS)
    model.save(tmp_path / "m.tflite")
    again = sml.QuantizedMLP.load(tmp_path / "m.tflite")
    assert again.front_end == model.front_end
    assert "front_end" not in again.metadata
    again.save(tmp_path / "again.tflite")
    assert (tmp_path / "again.tflite").read_bytes() == (tmp_path / "m.tflite").read_bytes()


def test_a_checkpoint_keeps_it(net: sml.MLP, data: Dataset, tmp_path: Any) -> None:
    one = front_end()
    for kept in (one, None):
        before = sml.Checkpoint(net, data.scaler, data.recipe, data.fingerprint, kept)
        before.save(tmp_path / "model.npz")
        assert sml.Checkpoint.load(tmp_path / "model.npz").front_end == kept
    assert data.front_end is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (front_end(("mean",)), "gives 3 values, the network takes 6"),
        (front_end(("mean", "rms")), "not the same"),
        (front_end(("mean", "std"), resolution=10), "not the same"),
    ],
)
def test_a_model_and_its_front_end_must_fit(changed: FrontEnd, message: str) -> None:
    model = front_end_model(("mean", "std"))
    with pytest.raises(ScratchmlError, match=message):
        sml.QuantizedMLP(model.layers, model.softmax, model.scaler, front_end=changed)
    with pytest.raises(ScratchmlError, match="not the same"):  # without a scaler
        sml.QuantizedMLP(model.layers, model.softmax, front_end=model.front_end)
    with pytest.raises(ScratchmlError, match="metadata named"):
        sml.QuantizedMLP(model.layers, metadata={"front_end": 1})


def test_the_scaler_s_channels_are_the_features() -> None:
    """A row of statistics is one window of the scaler's channels, a raw one many."""
    for statistics in (("mean", "std"), ()):
        model = front_end_model(statistics)
        assert model.scaler and model.front_end
        rows: npt.NDArray[np.int32] = model.front_end.stream(some_samples(100))
        assert Rows(
            rows, np.zeros(len(rows), np.float32), np.arange(len(rows)), model.scaler
        ).x.any()
