"""A recipe's text: every choice with its comment, which reads back as the same run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scratchml.errors import ScratchmlError
from scratchml.front_end import STATISTICS
from scratchml.recipe import EXAMPLES, SECTIONS, Run, choices_of, load_choices, run_of
from scratchml.recipe.text import COMMENTS, recipe_text, toml_value
from scratchml.sensors.recipe import BALANCES, MISSING, SCALINGS, SPLITS
from scratchml.tables.reading import TIME_WORDS
from scratchml.weather.variables import VARIABLES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def again(folder: Path, text: str) -> Run:
    """The run of a recipe's text, as a file in the folder."""
    path = folder / "again.toml"
    path.write_text(text, "utf-8")
    run = run_of(load_choices(path))
    return run if run.path is None else replace(run, data=str(run.path.resolve()))


# The examples.


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_recipe_of_an_example_is_the_example(name: str, tmp_path: Path) -> None:
    choices = {"": {"data": name}}
    assert again(tmp_path, recipe_text(choices)) == run_of(choices)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_recipes_among_the_examples_are_what_init_writes(name: str) -> None:
    path = ROOT / "examples" / f"{name}.toml"
    again_by = f"scratchml init {name} -o examples/{name}.toml --force"
    assert path.read_text("utf-8") == recipe_text({"": {"data": name}}), again_by


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_choice_of_an_example_stands_in_its_section(name: str) -> None:
    values = tomllib.loads(recipe_text({"": {"data": name}}).replace("# name =", "name = ''"))
    assert [key for key, value in values.items() if not isinstance(value, dict)] == ["data", "seed"]
    assert "reading" not in values  # an example is no file
    assert set(values["dataset"]) == set(choices_of(name))
    assert set(values["training"]) == set(SECTIONS["training"]) - {"threshold"}
    assert set(values["quantization"]) == {"percentile"}
    assert set(values["export"]) == {"name"}


def test_every_choice_has_a_comment_of_its_own() -> None:
    assert set(COMMENTS) == {name for section in SECTIONS.values() for name in section}
    assert len(set(COMMENTS.values())) == len(COMMENTS)


def test_comments_name_every_word_that_is_known() -> None:
    for name, words in {
        "data": EXAMPLES,
        "statistics": STATISTICS,
        "split": SPLITS,
        "balance": BALANCES,
        "scaling": SCALINGS,
        "missing": MISSING,
        "time_format": TIME_WORDS,
    }.items():
        assert [word for word in words if word not in COMMENTS[name]] == [], name


@pytest.mark.parametrize("name", [*EXAMPLES, "x.csv"])
def test_comments_stand_above_their_choices_and_lines_are_short(name: str) -> None:
    choices = {"": {"data": name}}
    if name == "x.csv":
        choices["dataset"] = {"features": ["a"], "label": "b"}
    lines = recipe_text(choices).splitlines()
    assert max(map(len, lines)) <= 100
    for number, line in enumerate(lines):
        key = line.removeprefix("# ").split(" =")[0]
        if " =" in line and key in COMMENTS:
            comment = [f"# {text}" for text in COMMENTS[key].splitlines()]
            assert lines[number - len(comment) : number] == comment, key


def test_a_threshold_is_offered_for_a_yes_or_no_only() -> None:
    table = {"": {"data": "x.csv"}, "dataset": {"features": ["a"]}}
    several = {**table, "dataset": {"features": ["a"], "label": "b"}}
    number = {**table, "dataset": {"features": ["a"], "target": "b"}}
    for choices, offered in (
        ({}, True),
        ({"": {"data": "digits"}}, False),
        ({"": {"data": "exercises"}}, False),
        (several, True),  # its classes are not known before the file is read
        (number, False),
    ):
        assert ("# threshold =" in recipe_text(choices).splitlines()) == offered


def test_choices_that_are_none_have_no_text() -> None:
    with pytest.raises(ScratchmlError, match="window 0"):
        recipe_text({"dataset": {"window": 0}})


# Any choices.

NAMES = st.text(min_size=1, max_size=6).filter(str.strip)
SHARES = st.floats(0.01, 0.49)

TRAINING: dict[str, st.SearchStrategy[Any]] = {
    "hidden": st.lists(st.integers(1, 300), max_size=3),
    "epochs": st.integers(1, 1000),
    "batch_size": st.integers(1, 1000),
    "learning_rate": st.floats(1e-9, 10),
    "dropout": st.floats(0, 0.99),
    "patience": st.integers(1, 50),
    "threshold": st.floats(0.01, 0.99),
}
SHARED: dict[str, st.SearchStrategy[Any]] = {"validation": SHARES, "test": SHARES}
WEATHER: dict[str, st.SearchStrategy[Any]] = {
    **SHARED,
    "features": st.lists(st.sampled_from(list(VARIABLES)), min_size=1, unique=True),
    "window": st.integers(1, 100),
    "horizon": st.integers(0, 100),
    "snow_above": st.floats(allow_nan=False, allow_infinity=False),
    "colder_than": st.floats(allow_nan=False, allow_infinity=False),
    "split": st.sampled_from(["time", "random"]),
    "balance": st.sampled_from(["none", "training", "all"]),
    "missing": st.sampled_from(["refuse", "drop"]),
}
SAMPLES: dict[str, st.SearchStrategy[Any]] = {
    **SHARED,
    "positive": NAMES,
    "units": st.lists(NAMES, min_size=1, max_size=1),
    "resolution": st.lists(st.integers(1, 10**6), min_size=1, max_size=1),
    "window": st.integers(2, 500),
    "step": st.integers(1, 500),
    "horizon": st.integers(0, 9),
    "statistics": st.lists(st.sampled_from(STATISTICS), unique=True),
    "group": NAMES.map("group {}".format),  # which is no feature
    "session": NAMES.map("session {}".format),
    "balance": st.sampled_from(["none", "training"]),
    "scaling": st.sampled_from(SCALINGS),
    "missing": st.sampled_from(MISSING),
}
READING: dict[str, st.SearchStrategy[Any]] = {
    "columns": st.dictionaries(NAMES, NAMES, max_size=2).filter(
        lambda pairs: len(set(pairs.values())) == len(pairs)
    ),
    "delimiter": st.sampled_from(["", ";", "tab", "|", " "]),
    "decimal": st.sampled_from([".", ","]),
    "encoding": st.sampled_from(["", "cp1252", "utf-16"]),
    "time": NAMES,
    "time_format": st.sampled_from(["", "unix", "seconds", "%d.%m.%Y %H:%M"]),
    "fahrenheit": st.booleans(),
    "skip_lines": st.integers(0, 20),
    "comment": st.sampled_from(["", "#", "//", '"']),
}


@st.composite
def any_choices(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Choices that a run can be made of."""
    data = draw(st.sampled_from([*EXAMPLES, "hours.csv", "my table.csv", "größe.csv.gz"]))
    some = {"snow": WEATHER, "hours.csv": WEATHER, "digits": SHARED}.get(data, SAMPLES)
    chosen = draw(st.fixed_dictionaries({}, optional=some))
    if data not in EXAMPLES and some is SAMPLES:
        names = draw(st.lists(NAMES, min_size=2, max_size=4, unique=True))
        asked = draw(st.sampled_from(["label", "target"]))
        chosen |= {"features": names[1:], asked: names[0]}
        if chosen.get("statistics"):
            chosen.setdefault("window", 20)
        if asked == "target":
            if draw(st.booleans()):  # a unit for each, and the target's
                chosen["units"] = draw(st.lists(NAMES, min_size=len(names), max_size=len(names)))
            chosen = {k: v for k, v in chosen.items() if k not in ("positive", "balance")}
    choices: dict[str, dict[str, Any]] = {
        "": {"data": data, **draw(st.fixed_dictionaries({}, optional={"seed": st.integers(0, 9)}))},
        "dataset": chosen,
        "training": draw(st.fixed_dictionaries({}, optional=TRAINING)),
        "quantization": draw(
            st.fixed_dictionaries({}, optional={"percentile": st.floats(50.1, 100)})
        ),
        "export": draw(
            st.fixed_dictionaries({}, optional={"name": st.sampled_from(["a1", "Snow"])})
        ),
    }
    if data not in EXAMPLES:
        choices["reading"] = draw(st.fixed_dictionaries({}, optional=READING))
    if some is SHARED or "target" in chosen or data == "exercises":
        choices["training"].pop("threshold", None)
    return choices


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(choices=any_choices())
def test_a_recipe_reads_back_as_the_run_that_it_was_written_of(
    choices: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir(exist_ok=True)
    if choices[""]["data"] not in EXAMPLES:
        choices[""]["data"] = str(tmp_path / choices[""]["data"])
    text = recipe_text(choices, folder)
    assert again(folder, text) == run_of(choices)
    assert str(tmp_path) not in text
    # and once more, now that every choice stands there
    assert recipe_text(load_choices(folder / "again.toml"), folder) == text


# Paths.


def test_a_path_is_written_as_it_is_from_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("snow").touch()
    Path("a/b").mkdir(parents=True)
    for data, folder, told in (
        ("x.csv", ".", "x.csv"),
        ("x.csv", "a/b", "../../x.csv"),
        ("a/x.csv", "a", "x.csv"),
        (str(tmp_path / "a" / "x.csv"), "a/b", "../x.csv"),
        ("./snow", ".", "./snow"),  # the file, and not the example
        ("~x.csv", ".", "./~x.csv"),
    ):
        text = recipe_text({"": {"data": data}}, Path(folder))
        assert tomllib.loads(text)["data"] == told
        path = run_of({"": {"data": data}}).path
        assert path is not None
        assert again(Path(folder), text).data == str(path.resolve())


# TOML.

JSON = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(
        ['"', "\\", "\x7f", "\x00\x1f\n\r\t", "]", "'''", "größe, 7", "\u2028", "🙂"]
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(value=JSON)
def test_what_is_written_is_what_is_read(value: Any) -> None:
    """By Python's own reader of TOML."""
    line = f"a = {toml_value(value)}"
    assert "\n" not in line
    assert tomllib.loads(line) == {"a": value}


@pytest.mark.parametrize("value", ["a\udc80", ["\ud800"], {"\udfff": 1}])
def test_half_a_character_has_no_place_in_toml(value: Any) -> None:
    with pytest.raises(ScratchmlError, match=r"\\ud[c-f89]\w\w' is not text that a recipe can ho"):
        toml_value(value)
