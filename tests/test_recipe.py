"""Recipes: every choice of a run by its name, and one line for what is none."""

from __future__ import annotations

import datetime
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import scratchml as sml
from scratchml import dataset, sensors
from scratchml.errors import ScratchmlError
from scratchml.recipe import EXAMPLES, SECTIONS, choices_of, load_choices, merge, run_of
from scratchml.tables.reading import Reading
from scratchml.tasks import TASKS


def written(folder: Path, text: str, name: str = "a.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def run_from(folder: Path, text: str) -> Any:
    return run_of(load_choices(written(folder, text)))


# What is left out.


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_left_out_is_as_the_task_has_it(name: str, tmp_path: Path) -> None:
    run = run_from(tmp_path, f'data = "{name}"')
    assert run == run_of({"": {"data": name}})
    assert (run.dataset, run.training) == (TASKS[name].recipe(), TASKS[name].training)
    assert (run.threshold, run.percentile, run.name) == (None, 100.0, None)
    assert (run.path, run.title) == (None, name)


def test_an_empty_recipe_is_the_snow(tmp_path: Path) -> None:
    assert run_from(tmp_path, "") == run_of({}) == run_of({"": {"data": "snow"}})


def test_a_table_is_named_by_its_label_or_target(tmp_path: Path) -> None:
    for asked, task in (('label = "g"', "table"), ('target = "g"', "table"), ("", "snow")):
        features = 'features = ["temperature_2m"]'
        run = run_from(tmp_path, f'data = "x.csv"\n[dataset]\n{features}\n{asked}')
        assert type(run.dataset) is TASKS[task].recipe
        assert run.training == TASKS[task].training
        assert run.path == tmp_path / "x.csv"


def test_every_choice_of_every_task_has_its_place() -> None:
    for task in TASKS:
        assert set(choices_of(task)) <= set(SECTIONS["dataset"])
    assert set(SECTIONS["training"]) == {*asdict(TASKS["snow"].training), "threshold"}
    assert set(SECTIONS["reading"]) == set(Reading().to_json())
    names = [name for section in SECTIONS.values() for name in section]
    assert len(names) == len(set(names))  # so an option is enough to know the section


# Values that are none.

TABLE = 'data = "x.csv"\n[dataset]\nfeatures = ["a"]\nlabel = "b"\n'

NO_CHOICE = [
    ("data = 3", "data 3: it must be snow, digits, exercises or a file"),
    ('data = ""', "data '': it must be snow"),
    ('data = "a\\u0000b.csv"', "it must be snow"),
    ('data = ["snow"]', "data ['snow']: it must be snow"),
    ('data = "sno"', "sno' is neither an example (snow, digits, exercises) nor a file"),
    ('data = "other.toml"', "other.toml: a recipe cannot be the data"),
    ("seed = -1", "seed -1: it must be a whole number, 0 to"),
    ("seed = 1.5", "seed 1.5: it must be a whole number"),
    ("seed = true", "seed True: it must be a whole number"),
    ('seed = "one"', "seed 'one': it must be a whole number"),
    ("seed = 2026-01-01", "seed datetime.date(2026, 1, 1): it must be a whole number"),
    (f"seed = {10**30}", "it must be a whole number"),
    ("[dataset]\nwindow = 3.5", "window 3.5: it must be a whole number"),
    ("[dataset]\nwindow = true", "window True: it must be a whole number"),
    ('[dataset]\nwindow = "3"', "window '3': it must be a whole number"),
    ("[dataset]\nwindow = nan", "window nan: it must be a whole number"),
    ("[dataset]\nwindow = {a = 1}", "window {'a': 1}: it must be a whole number"),
    ("[dataset]\nvalidation = true", "validation True: it must be a number"),
    ("[dataset]\nvalidation = inf", "validation inf: it must be a number"),
    ("[dataset]\nvalidation = -1", "shares must be positive"),
    (f"[dataset]\nvalidation = 1{400 * '0'}", "it must be a number"),
    ("[dataset]\nsnow_above = true", "snow_above True: it must be a number"),
    ("[dataset]\nsplit = 3", "split 3: known are time, random"),
    ('[dataset]\nsplit = ["time"]', "split ['time']: known are time, random"),
    ("[dataset]\nbalance = false", "balance False: known are none, training, all"),
    ('[dataset]\nfeatures = "temperature_2m"', "it must be a list"),
    ("[dataset]\nfeatures = [1]", "feature 1: of weather there are temperature_2m"),
    ('[dataset]\nfeatures = [["a"]]', "feature ['a']: of weather there are temperature_2m"),
    ("[training]\nhidden = 12", "hidden 12: it must be a list such as [32, 16]"),
    ("[training]\nhidden = [12.5]", "hidden 12.5: it must be a whole number, 1 to 65535"),
    ("[training]\nhidden = [true]", "hidden True: it must be a whole number"),
    ("[training]\nhidden = [[12]]", "hidden [12]: it must be a whole number"),
    ("[training]\nepochs = 3.0", "epochs 3.0: it must be a whole number"),
    ("[training]\nepochs = 0", "epochs 0: it must be a whole number, 1 to"),
    ("[training]\nlearning_rate = 0", "learning_rate 0: it must be above 0"),
    ("[training]\nlearning_rate = nan", "learning_rate nan: it must be a number"),
    (f"[training]\nlearning_rate = 1{400 * '0'}", "it must be a number"),
    ("[training]\ndropout = 1", "dropout 1: it must be from 0 to below 1"),
    ('[training]\nthreshold = "half"', "threshold 'half': it must be a number"),
    ("[quantization]\npercentile = 50", "percentile 50: it must be above 50 and at most 100"),
    ("[quantization]\npercentile = true", "percentile True: it must be a number"),
    ("[export]\nname = 3", "name 3: it must be a text"),
    ('[export]\nname = "int"', "'int' cannot name a C variable"),
    (f"{TABLE}window = true", "window True: it must be a whole number"),
    (f"{TABLE}resolution = [true]", "resolution True: it must be a whole number"),
    (f"{TABLE}resolution = 100", "resolution 100: it must be a list"),
    (f'{TABLE}statistics = "mean"', "statistics 'mean': it must be a list"),
    (f'{TABLE}units = "g"', "units 'g': it must be a list"),
    (f'{TABLE}target = "c"', "name one column of what is asked"),
    (f"{TABLE}group = 3", "group 3: it must be a text"),
    (f"{TABLE}[reading]\ncolumns = 3", "columns must map names in the file"),
    (f"{TABLE}[reading]\ndecimal = 3", "decimal must be text"),
    (f"{TABLE}[reading]\nskip_lines = true", "skip_lines must be a whole number"),
]


@pytest.mark.parametrize(("text", "message"), NO_CHOICE)
def test_a_value_that_is_none_is_told_by_its_name(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ScratchmlError) as caught:
        run_from(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


NO_NAME = [
    ("sed = 1", "unknown choice 'sed' above the sections: did you mean seed?"),
    ("[dataset]\nwindows = 3", "unknown choice 'windows' in [dataset]: did you mean window?"),
    ("[training]\nepoch = 3", "unknown choice 'epoch' in [training]: did you mean epochs?"),
    ("[export]\nzzz = 3", "unknown choice 'zzz' in [export]: known are name"),
    ("[trainings]\nepochs = 3", "unknown section [trainings]: did you mean training?"),
    ("[zzz]", "unknown section [zzz]: known are reading, dataset, training, quantization, export"),
    ("window = 3", "window stands above the sections: it belongs in [dataset]"),
    ("[dataset]\nhidden = [3]", "hidden stands in [dataset]: it belongs in [training]"),
    ("[dataset]\nseed = 3", "seed stands in [dataset]: it belongs above the sections"),
    ("[dataset.reading]", "reading is a section: write [reading], its choices below"),
    ("[dataset.more]", "unknown choice 'more' in [dataset]"),
    ("dataset = 3", "dataset is a section: write [dataset], its choices below"),
    ("[[dataset]]\nwindow = 3", "dataset is a section: write [dataset], its choices below"),
    ('[""]\ndata = "snow"', "unknown choice '' above the sections"),
    ('"\\u0007" = 3', "unknown choice '\\x07'"),
]


@pytest.mark.parametrize(("text", "message"), NO_NAME)
def test_a_name_that_is_none_is_told_with_the_file(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ScratchmlError) as caught:
        load_choices(path)
    assert str(caught.value).startswith(f"{path}: {message}")


OTHER_DATA = [
    (
        'data = "digits"\n[dataset]\nwindow = 3',
        "window is about weather, exercises and tables of samples, not about digits",
    ),
    (
        '[dataset]\nlabel = "x"',
        "label is about exercises and tables of samples, not about weather",
    ),
    ('data = "exercises"\n[dataset]\nsnow_above = 1', "snow_above is about weather, not about ex"),
    (f"{TABLE}snow_above = 1", "snow_above is about weather, not about tables of samples"),
    (
        'data = "x.csv"\n[dataset]\nstep = 3',
        "step is about tables of samples: say what is asked of this one, the column of classes",
    ),
    ('data = "x.csv"\n[dataset]\nfeatures = ["a"]', "of another table name what is asked as well"),
    ('[reading]\ndecimal = ","', "decimal is about reading a file; snow comes with the package"),
]


@pytest.mark.parametrize(("text", "message"), OTHER_DATA)
def test_a_choice_of_other_data_is_told_so(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ScratchmlError) as caught:
        run_from(tmp_path, text)
    assert str(caught.value).startswith(message) or message in str(caught.value)


def test_how_files_are_read_as_usual_may_stand_beside_an_example(tmp_path: Path) -> None:
    """As in a recipe whose data was a file before."""
    assert run_from(tmp_path, '[reading]\ndecimal = "."\ncolumns = {}') == run_of({})


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**30, 10**400, -1, 0])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["snow", "x.csv", "mean", "a", ".", "time", "%Y", "unix"])
    | st.just(datetime.date(2026, 1, 1)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_is_chosen_is_a_run_or_one_line(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from(["snow", "digits", "exercises", "x.csv"]))
    choices: dict[str, Any] = {"": {"data": base}}
    if base == "x.csv":
        choices["dataset"] = {"features": ["a"], "label": "b"}
    for _ in range(data.draw(st.integers(1, 3))):
        section = data.draw(st.sampled_from(sorted(SECTIONS)))
        name = data.draw(st.sampled_from(sorted(SECTIONS[section])))
        choices.setdefault(section, {})[name] = data.draw(VALUES)
    try:
        run = run_of(choices)
    except ScratchmlError as error:
        assert "\n" not in str(error)
    else:
        assert run.training.epochs >= 1 and run.dataset.seed >= 0


# Files.


@pytest.mark.parametrize(
    "contents", [b"\x00\x01\x02", b"\xff\xfe\x00", b"a = ", b"= 3", b"\x89PNG"]
)
def test_what_is_no_toml_is_told_so(contents: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(contents)
    with pytest.raises(ScratchmlError, match="this is not a TOML file"):
        load_choices(path)


@pytest.mark.parametrize("text", [f"a = {3000 * '['}", f"a = {'9' * 5000}", "a = 2026-13-45"])
def test_what_a_parser_gives_up_on_is_no_toml(text: str, tmp_path: Path) -> None:
    with pytest.raises(ScratchmlError, match="this is not a TOML file"):
        load_choices(written(tmp_path, text))


def test_a_byte_order_mark_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbfseed = 3\r\n")
    assert run_of(load_choices(path)).dataset.seed == 3


@pytest.mark.parametrize("name", ["none.toml", "."])
def test_a_place_without_a_recipe_is_an_os_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No such file|Is a directory"):
        load_choices(tmp_path / name)


def test_the_data_s_path_begins_at_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for text, there in (
        ("my hours.csv", folder / "my hours.csv"),
        ("../x.csv", folder / ".." / "x.csv"),
        ("/somewhere/x.csv", Path("/somewhere/x.csv")),
        ("~/x.csv", tmp_path / "home" / "x.csv"),
        ("~nobody-of-that-name/x.csv", folder / "~nobody-of-that-name" / "x.csv"),
    ):
        path = written(folder, f'data = "{text}"')
        assert run_of(load_choices(path)).path == there


def test_a_file_named_as_an_example_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "snow").touch()
    written(tmp_path, 'data = "./snow"')
    run = run_of(load_choices(Path("a.toml")))
    assert (run.path, run.title) == (Path("snow"), "snow")
    assert run_of({}).path is None


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("hours.csv", "hours"),
        ("a/b/hours.csv.gz", "hours"),
        ("my hours.v2.csv", "my hours.v2"),
        (".csv", ".csv"),
        ("hours", "hours"),
    ],
)
def test_a_run_is_called_after_its_file(
    name: str, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "/" not in name:
        (tmp_path / name).touch()  # what has no ending must be there
    assert run_of({"": {"data": name}}).title == title


# Which choice wins.


def test_options_win_over_the_recipe_the_recipe_over_the_paper_that_over_the_task(
    tmp_path: Path,
) -> None:
    recipe = load_choices(written(tmp_path, "[dataset]\nhorizon = 2\nwindow = 5\n"))
    run = run_of(merge(recipe, {"dataset": {"window": 4}}), paper=True)
    assert isinstance(run.dataset, dataset.Recipe)
    found = (run.dataset.window, run.dataset.horizon, run.dataset.split, run.dataset.snow_above)
    assert found == (4, 2, dataset.PAPER["split"], sml.Recipe().snow_above)
    assert run.threshold == 0.5
    assert run_of({"training": {"threshold": 0.25}}, paper=True).threshold == 0.25


@pytest.mark.parametrize("data", ["digits", "exercises", "x.csv"])
def test_the_paper_is_about_weather(data: str) -> None:
    choices = {"": {"data": data}, "dataset": {"features": ["a"], "label": "b"}}
    if data != "x.csv":
        del choices["dataset"]
    about = "tables of samples" if data == "x.csv" else data
    with pytest.raises(ScratchmlError, match=f"--paper is about weather, not about {about}"):
        run_of(choices, paper=True)


def test_a_later_label_takes_the_place_of_a_target_and_the_other_way_round() -> None:
    first = {"": {"data": "x.csv"}, "dataset": {"features": ["a"], "target": "t"}}
    run = run_of(merge(first, {"dataset": {"label": "b", "positive": "yes"}}))
    assert isinstance(run.dataset, sensors.Recipe)
    assert (run.dataset.label, run.dataset.target) == ("b", "")
    second = {**first, "dataset": {"features": ["a"], "label": "b", "positive": "yes"}}
    run = run_of(merge(second, {"dataset": {"target": "t"}}))
    assert isinstance(run.dataset, sensors.Recipe)
    assert (run.dataset.label, run.dataset.target, run.dataset.positive) == ("", "t", "")


def test_merging_changes_no_layer() -> None:
    first, second = {"dataset": {"window": 3}}, {"dataset": {"window": 4}}
    assert merge(first, second) == {"dataset": {"window": 4}}
    assert first == {"dataset": {"window": 3}}


# Loading.


def test_a_table_that_is_no_weather_is_told_what_to_say(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ScratchmlError) as caught:
        run_of({"": {"data": str(path)}}).load()
    assert str(caught.value).startswith(
        f"{path}: no column of this file is one of weather (temperature_2m"
    )
    assert "--label" in str(caught.value) and "scratchml init" in str(caught.value)


def test_what_looks_like_weather_is_told_what_to_map(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("time,temperature_2m (C),relative_humidity_2m (%),snowfall (cm)\n")
    with pytest.raises(
        ScratchmlError, match="perhaps --map 'temperature_2m \\(C\\)=temperature_2m'"
    ):
        run_of({"": {"data": str(path)}}).load()


def test_an_example_is_loaded_from_the_package() -> None:
    data = run_of({"": {"data": "digits", "seed": 2}}).load()
    assert data.recipe == sml.digits.Recipe(seed=2)
    assert data.fingerprint == sml.digits.make_dataset().fingerprint
