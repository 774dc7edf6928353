"""What the README and the specification tell a newcomer works, and is there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from conftest import ROOT, require
from typer.testing import CliRunner

import scratchml.cli  # noqa: F401  imported for what it does: every module adds its commands
from scratchml.cli.app import app

README = (ROOT / "README.md").read_text("utf-8")
ARITHMETIC = (ROOT / "docs" / "arithmetic.md").read_text("utf-8")


def run(command: str) -> str:
    result = CliRunner(env={"COLUMNS": "100"}).invoke(app, command.split())
    assert result.exit_code == 0, (command, result.output)
    return result.output


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all commands of "Step by step" have been typed, in their order."""
    require("gcc")
    folder = tmp_path_factory.mktemp("readme")
    (section,) = re.findall(r"^## Step by step\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    commands = re.findall(r"^    scratchml (\S.*?)(?: +#.*)?$", section, re.MULTILINE)
    assert len(commands) == 9
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in commands:
            run(command)
    return folder


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    for code in blocks:
        exec(compile(code, "README.md", "exec"), {})
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        "snow.tflite",
        *(f"{name}_model.{kind}" for name in ("snow", "my") for kind in "ch"),
    }


def test_the_steps_leave_what_they_say(trained: Path) -> None:
    names = {path.name for path in (trained / "build" / "snow").iterdir()}
    assert names == {"model.npz", "history.csv", "model.tflite", "snow_model.c", "snow_model.h"}


def test_the_trace_is_the_one_that_is_shown(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = re.findall(r"\$ scratchml (trace .*?)```", README, re.DOTALL)
    command, *parts = re.split(r"\n\.\.\.\n", text)
    monkeypatch.chdir(trained)
    output = "\n".join(line.rstrip() for line in run(command).splitlines())
    for part in parts:  # the shape of each line; the last digits depend on the machine's training
        lines = [re.sub(r"[-\d.]+", "0", line) for line in part.strip().splitlines()]
        shown = [re.sub(r"[-\d.]+", "0", line) for line in output.splitlines()]
        for line in lines:
            words = line.split()
            assert any(words == other.split() for other in shown), line


def test_a_model_from_elsewhere_goes_the_whole_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("gcc")
    require("ai_edge_litert")
    commands = re.findall(r"^    scratchml (\S.*any\.tflite.*?)(?: +#.*)?$", README, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["info", "export", "verify"]
    foreign = ROOT / "tests" / "golden" / "foreign" / "tf221_softmax_10.tflite"
    shutil.copy(foreign, tmp_path / "any.tflite")
    monkeypatch.chdir(tmp_path)
    for command in commands:
        run(f"{command} --rows 300" if command.startswith("verify") else command)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "any.c",
        "any.h",
        "any_tflite.c",
        "any_tflite.h",
    }


def test_files_and_targets_that_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"`?make (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_every_formula_names_a_test_that_is_there() -> None:
    definition, *sections, index = re.split(r"^## ", ARITHMETIC, flags=re.MULTILINE)[1:]
    assert definition.startswith("What a code stands for") and index.count("::test_") >= 30
    for section in sections:
        assert re.search(r"\*Tests?: `test_", section), section.splitlines()[0]
    for file, name in re.findall(r"`(test_\w+\.py)(?:::(\w+))?`", ARITHMETIC):
        text = (ROOT / "tests" / file).read_text("utf-8")
        assert f"def {name}(" in text if name else text, (file, name)
