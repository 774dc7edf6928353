"""``init``: what is proposed for somebody's table, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from command_line import called, json_of, one_line, output_of, refused, write_gestures, write_hours
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scratchml.errors import ScratchmlError
from scratchml.recipe import EXAMPLES, load_choices, run_of
from scratchml.recipe.proposal import proposal
from scratchml.tables.reading import Reading


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def proposed(text: str, *options: str) -> dict[str, dict[str, Any]]:
    """What stands in the recipe for a table."""
    Path("table.csv").write_text(text, "utf-8")
    result = called("init", "table.csv", "--force", *options)
    assert result.returncode == 0, result.stderr
    return load_choices(Path("table.toml"))


def lines(header: str, *rows: str) -> str:
    return "\n".join([header, *rows]) + "\n"


# What is written.


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_s_recipe_is_written_here_and_told(name: str) -> None:
    result = called("init", name)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == f"{name}.toml: change it, then: scratchml run {name}.toml\n"
    assert run_of(load_choices(Path(f"{name}.toml"))) == run_of({"": {"data": name}})


def test_without_data_it_is_the_snow() -> None:
    output_of("init")
    assert [path.name for path in Path().iterdir()] == ["snow.toml"]


def test_options_that_are_given_stand_in_it() -> None:
    options = ("--window", "4", "--hidden", "8,4", "--seed", "7", "--percentile", "99.9")
    found = json_of("init", "snow", *options, "--threshold", "0.25", "--name", "hail")
    assert found["file"] == "snow.toml"
    recipe = found["recipe"]
    assert (recipe["data"], recipe["seed"], recipe["dataset"]["window"]) == ("snow", 7, 4)
    assert (recipe["training"]["hidden"], recipe["training"]["threshold"]) == ([8, 4], 0.25)
    assert (recipe["quantization"]["percentile"], recipe["export"]["name"]) == (99.9, "hail")


def test_hours_are_weather(tmp_path: Path) -> None:
    path = write_hours(tmp_path)
    output_of("init", path, "--window", "6")
    choices = load_choices(Path("hours.toml"))
    run = run_of(choices)
    assert run == run_of({"": {"data": "hours.csv"}, "dataset": {"window": 6}})
    assert "snow_above" in choices["dataset"] and choices["dataset"]["window"] == 6
    assert 'data = "hours.csv"' in Path("hours.toml").read_text("utf-8")


def test_a_recipe_in_another_folder_finds_its_table(tmp_path: Path) -> None:
    folder = tmp_path / "my tables"
    folder.mkdir()
    write_gestures(folder)
    result = called("init", "my tables/gestures.csv", "-o", "my recipes/a b.toml")
    assert result.stderr.endswith("scratchml run 'my recipes/a b.toml'\n")
    assert 'data = "../my tables/gestures.csv"' in Path("my recipes/a b.toml").read_text("utf-8")
    assert run_of(load_choices(Path("my recipes/a b.toml"))).load().classes == (
        "circle",
        "rest",
        "shake",
    )


# What is proposed.


def test_numbers_are_features_and_texts_the_label() -> None:
    found = proposed(lines("a,b,word,note", "1,2.5,up,x", "-3,1e3,down,x", "4,,up,x"))
    assert found["dataset"]["features"] == ["a", "b"]
    assert found["dataset"]["label"] == "word"  # the note has one value only
    assert (found["dataset"]["target"], found["dataset"]["group"]) == ("", "")
    assert found["reading"] == Reading().to_json()


def test_of_numbers_alone_the_last_is_the_target() -> None:
    found = proposed(lines("a,b,c", "1,2,3", "4,5,6"))["dataset"]
    assert (found["features"], found["target"], found["label"]) == (["a", "b"], "c", "")


def test_columns_with_a_usual_name_are_what_they_say() -> None:
    header = "Timestamp,subject,session,a,Label,b,word"
    rows = [
        f"2020-01-01T00:00:{i:02d},{i // 4},{i // 2},{i},{i % 3},{i},{'xy'[i % 2]}"
        for i in range(12)
    ]
    found = proposed(lines(header, *rows))
    chosen = found["dataset"]
    assert (chosen["features"], chosen["label"]) == (["a", "b"], "Label")
    assert (chosen["group"], chosen["session"]) == ("subject", "session")
    assert (found["reading"]["time"], found["reading"]["time_format"]) == ("Timestamp", "")


def test_a_target_by_name_goes_before_a_column_of_texts() -> None:
    found = proposed(lines("a,target,word,b", "1,2,x,3", "4,5,y,6"))["dataset"]
    assert (found["features"], found["target"], found["label"]) == (["a", "b"], "target", "")


def test_too_few_groups_are_no_feature_and_no_group() -> None:
    found = proposed(lines("a,person,word", "1,1,x", "2,2,y"))["dataset"]
    assert (found["features"], found["group"]) == (["a"], "")


@pytest.mark.parametrize("name", ["time", "timestamp"])
def test_times_that_are_numbers_count_seconds(name: str) -> None:
    rows = [f"{i / 50},{i % 7},{'xy'[i % 2]}" for i in range(9)]
    found = proposed(lines(f"{name},a,word", *rows))
    assert found["reading"]["time_format"] == "seconds"
    assert found["reading"]["time"] == ("" if name == "time" else name)
    assert found["dataset"]["features"] == ["a"]


def test_a_time_zone_of_times_that_are_numbers_is_answered_by_what_was_taken() -> None:
    rows = [f"{2020010100 + i},{i % 7},{'xy'[i % 2]}" for i in range(9)]
    Path("table.csv").write_text(lines("timestamp,a,word", *rows))
    line = refused("init", "table.csv", "--time-zone", "Europe/Berlin")
    assert line.startswith(
        "error: table.csv: the column timestamp holds numbers, taken for seconds"
    )
    assert "leave --time-zone out" in line and not Path("table.toml").exists()
    hours = ("--time-zone", "Europe/Berlin", "--time-format", "%Y%m%d%H")
    assert proposed(Path("table.csv").read_text(), *hours)["reading"]["time_format"] == hours[3]


def test_a_decimal_comma_is_noticed() -> None:
    found = proposed(lines("a;b;word", "1,5;2;x", "-0,25;3;y"))
    assert (found["reading"]["decimal"], found["reading"]["delimiter"]) == (",", "")
    assert found["dataset"]["features"] == ["a", "b"]


def test_how_the_file_is_read_can_be_said() -> None:
    options = ("--skip-lines", "1", "--map", "w=word", "--delimiter", "|", "--comment", "%")
    found = proposed("logger 7\na|w\n1|x\n% paused\n2|y\n", *options)
    assert found["reading"]["columns"] == {"w": "word"}
    assert (found["reading"]["skip_lines"], found["reading"]["comment"]) == (1, "%")
    assert (found["dataset"]["features"], found["dataset"]["label"]) == (["a"], "word")


def test_what_is_said_is_not_proposed() -> None:
    text = lines("a,b,word,person", *(f"{i},{i % 5},{'xy'[i % 2]},p{i // 3}" for i in range(12)))
    chosen = proposed(text, "--target", "b")["dataset"]
    assert (chosen["features"], chosen["target"], chosen["label"]) == (["a"], "b", "")
    assert chosen["group"] == "person"
    chosen = proposed(text, "--label", "person", "--features", "b")["dataset"]
    assert (chosen["features"], chosen["label"], chosen["group"]) == (["b"], "person", "")
    chosen = proposed(text, "--window", "3", "--session", "word")["dataset"]
    assert (chosen["target"], chosen["session"], chosen["window"]) == ("b", "word", 3)


def test_names_with_commas_quotes_and_brackets() -> None:
    header = '"x, left","say ""hi""]","größe\x7f",#word'
    found = proposed(lines(header, "1,2,3,up", "2,3,4,down", "3,4,6,up"))["dataset"]
    assert found["features"] == ["x, left", 'say "hi"]', "größe\x7f"]
    assert found["label"] == "#word"
    found = proposed(
        lines(header, "1,2,3,up", "2,3,4,down", "3,4,6,up"), "--features", '"x, left",größe\x7f'
    )
    assert found["dataset"]["features"] == ["x, left", "größe\x7f"]


CELLS = st.sampled_from(["1", "-2.5", "x", "y", "", "NA", "1,5", "2020-01-01", "inf", "é"])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    names=st.lists(
        st.sampled_from(["a", "b", "label", "time", "person", "target", "session", "date", "ö"]),
        min_size=1,
        unique=True,
    ),
    data=st.data(),
)
def test_whatever_a_table_holds_the_proposal_is_a_run_of_its_columns(
    names: list[str], data: st.DataObject, tmp_path: Path
) -> None:
    rows = data.draw(
        st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), min_size=1, max_size=8)
    )
    path = tmp_path / "any.csv"
    path.write_text("\n".join(";".join(row) for row in [names, *rows]) + "\n", "utf-8")
    try:
        choices = proposal(path)
    except ScratchmlError as error:
        assert str(error).startswith(f"{path}: ")
        return
    run = run_of(choices)
    chosen = choices["dataset"]
    roles = [chosen.get(role) for role in ("label", "target", "group", "session")]
    named = [*chosen["features"], *filter(None, roles)]
    assert set(named) <= set(names) and len(set(named)) == len(named)
    assert run.path == path


# What is refused.

NO_TABLE = {
    "empty": ("", "the file is empty"),
    "binary": ("\x00\x01\x02", "table.csv: "),
    "numbers none": (
        "a,b\nx,y\nz,w\n",
        "needed are columns of numbers to read, and one of classes",
    ),
    "one column": ("a\n1\n2\n", "needed are columns of numbers to read"),
    "only time": ("time\n2020-01-01\n2020-01-02\n", "needed are columns of numbers"),
    "header only": ("a,b,label\n", "table.csv: "),
    "ragged": ("a,b,label\n1,2\n", "line 2, column label: the value is missing"),
}


@pytest.mark.parametrize("case", NO_TABLE)
def test_what_is_no_table_to_learn_from_is_told_in_one_line(case: str) -> None:
    contents, message = NO_TABLE[case]
    Path("table.csv").write_text(contents)
    line = refused("init", "table.csv")
    assert line.startswith("error: table.csv: ")
    assert message in line
    assert not Path("table.toml").exists()


def test_names_that_are_numbers_are_perhaps_values() -> None:
    Path("table.csv").write_text("1.5,2,x\n3,4,y\n5,6,x\n")
    result = called("init", "table.csv")
    assert (
        "note: columns are called 1.5, 2: if these are values, put a line of names above"
        in result.stderr.splitlines()
    )


def test_places_without_a_table_are_named() -> None:
    assert refused("init", "none.csv") == "error: none.csv: No such file or directory"
    assert refused("init", ".").startswith("error: .: this is a directory")
    assert "'digit' is neither an example (snow, digits, exercises) nor a file" in refused(
        "init", "digit"
    )
    assert refused("init", "a.toml") == "error: a.toml is a recipe already: scratchml run a.toml"
    assert list(Path().iterdir()) == []


def test_a_choice_that_is_none_leaves_no_file() -> None:
    assert "window 0: it must be" in refused("init", "snow", "--window", "0")
    assert "label is about exercises and tables" in refused("init", "snow", "--label", "a")
    assert "'int' cannot name a C variable" in refused("init", "snow", "--name", "int")
    assert list(Path().iterdir()) == []


def test_a_recipe_that_is_there_stays_unless_it_is_to_be_replaced() -> None:
    Path("snow.toml").write_text("seed = 3\n")
    line = refused("init", "snow")
    assert line == "error: snow.toml exists: choose another name with -o, or --force"
    assert Path("snow.toml").read_text() == "seed = 3\n"
    output_of("init", "snow", "--force")
    assert run_of(load_choices(Path("snow.toml"))) == run_of({})


def test_a_place_that_cannot_be_written_is_named() -> None:
    Path("folder").mkdir()
    for options in ([], ["--force"]):
        line = refused("init", "snow", "-o", "folder", *options)
        assert line == "error: folder is a folder: name a file in it with -o"
    assert refused("init", "snow", "-o", "/proc/snow.toml").startswith("error: /proc/snow.toml: ")
    Path("file").touch()
    assert "file" in refused("init", "snow", "-o", "file/snow.toml")


def test_a_file_s_name_that_is_no_text_is_told_so() -> None:
    name = os.fsdecode(b"a\xff.csv")
    Path(name).write_text("a,b\n1,x\n2,y\n")
    assert "is not text that a recipe can hold" in refused("init", name)


def test_help_teaches_what_is_proposed() -> None:
    page = one_line(output_of("init", "--help", columns=200))
    assert "numbers are proposed as features, a column of a few texts as the label" in page
