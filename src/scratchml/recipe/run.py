"""A run stated whole: which data, how it becomes a data set, how a network is trained on it.

On disk it is a TOML file of sections, here the same as a dictionary of dictionaries; the choices
outside of a section are under ``""``. What is not chosen is as the task has it.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from scratchml import dataset, digits, sensors
from scratchml.c_names import check_name
from scratchml.calibrate import check_percentile
from scratchml.checks import check_number
from scratchml.errors import ScratchmlError
from scratchml.rows import Dataset
from scratchml.tables import column_names
from scratchml.tables.reading import Reading
from scratchml.tasks import TASKS, AnyRecipe, Task, Training, load, make
from scratchml.weather.variables import NEEDED

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Choices: TypeAlias = dict[str, dict[str, Any]]

#: Tasks whose data is in the package.
EXAMPLES = tuple(name for name, task in TASKS.items() if task.recipe is not sensors.Recipe)

#: What is in the name of some column of weather, in small letters.
LIKE_WEATHER = ("temp", "humid", "snow")

#: How a recipe file's name ends.
ENDING = ".toml"


def choices_of(task: str) -> list[str]:
    """What [dataset] may choose for a task."""
    return [f.name for f in fields(TASKS[task].recipe) if f.name not in ("reading", "seed")]


#: What a recipe file may choose, by section; of [dataset] each task knows a part.
SECTIONS = {
    "": ("data", "seed"),
    "reading": tuple(f.name for f in fields(Reading)),
    "dataset": tuple(dict.fromkeys(name for task in TASKS for name in choices_of(task))),
    "training": (*(f.name for f in fields(Training)), "threshold"),
    "quantization": ("percentile",),
    "export": ("name",),
}


@dataclass(frozen=True)
class Run:
    """Every choice of a run.

    Attributes:
        data: an example's name, or the file.
        dataset: the recipe of the data set.
        threshold: of a yes or no; ``None``: the best on the validation rows.
        name: of the model in C; ``None``: after the recipe's file or the data.
        file: the recipe's, if it is one.
    """

    data: str
    dataset: AnyRecipe
    training: Training
    threshold: float | None = None
    percentile: float = 100.0
    name: str | None = None
    file: Path | None = None

    @property
    def path(self) -> Path | None:
        """The file, unless the data is an example's."""
        return None if self.data in EXAMPLES else Path(self.data)

    @property
    def title(self) -> str:
        """What the run is called: as the recipe, the example or the file, without its endings."""
        file = self.file or self.path
        if file is None:
            return self.data
        return file.name.removesuffix(".gz").rsplit(".", 1)[0] or file.name

    def table(self) -> pd.DataFrame:
        """The hours or samples that the data set is cut from.

        Raises:
            ScratchmlError, OSError: as ``tasks.load``; with what to say instead, if a file is not
                one of weather; or the data are images.
        """
        self._check_weather()
        if isinstance(self.dataset, digits.Recipe):
            raise ScratchmlError(f"{self.data} are images: there are no columns to look at")
        return load(self.dataset, self.path)

    def load(self) -> Dataset:
        """The data set.

        Raises:
            ScratchmlError, OSError: as ``tasks.make``.
        """
        self._check_weather()
        return make(self.dataset, self.path)

    def _check_weather(self) -> None:
        if self.path is None or not isinstance(self.dataset, dataset.Recipe):
            return
        names = column_names(self.path, self.dataset.reading)
        # what looks like weather under other names is told by the reader which ones to map
        text = " ".join(names).lower()
        if not set(names) & set(NEEDED) and sum(word in text for word in LIKE_WEATHER) < 2:
            raise ScratchmlError(
                f"{self.path}: no column of this file is one of weather ({', '.join(NEEDED)}): of "
                f"another table say what is read and what is asked (--features, and --label or "
                f"--target), or let scratchml init look at it"
            )


def run_of(choices: Choices, *, paper: bool = False) -> Run:
    """The run that ``choices`` describe; ``paper``: the original exercise, where they are silent.

    Raises:
        ScratchmlError: an unknown section or choice, one that the data has no use for, or a value
            that is none.
    """
    check_names(choices)
    top, chosen = choices.get("", {}), dict(choices.get("dataset", {}))
    data = top.get("data", "snow")
    task = _task(data, chosen)
    if paper:
        if task.name != "snow":
            raise ScratchmlError(f"--paper is about weather, not about {task.about}")
        chosen = {**dataset.PAPER, **chosen}
    _check_dataset(task, data, chosen)
    reading = Reading.from_json(choices.get("reading", {}))
    if data not in EXAMPLES:
        if reading != Reading():
            chosen["reading"] = reading
    elif reading != Reading():
        first = next(iter(choices["reading"]))
        raise ScratchmlError(f"{first} is about reading a file; {data} comes with the package")
    if "seed" in top:
        chosen["seed"] = top["seed"]
    training = {**asdict(task.training), **choices.get("training", {})}
    threshold = training.pop("threshold", 0.5 if paper else None)
    percentile = choices.get("quantization", {}).get("percentile", 100.0)
    name = choices.get("export", {}).get("name")
    if threshold is not None:
        check_number("threshold", threshold)
    check_number("percentile", percentile)
    check_percentile(percentile)
    if name is not None:
        if not isinstance(name, str):
            raise ScratchmlError(f"name {name!r}: it must be a text")
        check_name(name)
    return Run(data, task.recipe(**chosen), Training(**training), threshold, percentile, name)


def load_choices(path: Path) -> Choices:
    """Read a recipe file; the data's path in it is relative to the file's folder.

    Raises:
        ScratchmlError: it is not TOML, or has an unknown section or choice.
        OSError: it cannot be read.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # not text, not TOML, a number of 5,000 digits
        said = "too deeply nested" if isinstance(error, RecursionError) else error
        raise ScratchmlError(f"{path}: this is not a TOML file ({said})") from None
    choices: Choices = {"": {}}
    for name, value in values.items():
        if isinstance(value, dict) and name:
            choices[name] = value
        else:
            choices[""][name] = value
    try:
        check_names(choices)
    except ScratchmlError as error:
        raise ScratchmlError(f"{path}: {error}") from None
    data = choices[""].get("data")
    if isinstance(data, str) and data and data not in EXAMPLES:
        choices[""]["data"] = _beside(path, data)
    return choices


def _beside(recipe: Path, data: str) -> str:
    """The data's path as it is from here; a file that is named as an example keeps its ``./``."""
    try:
        there = Path(data).expanduser()
    except RuntimeError:  # ~nobody
        there = Path(data)
    path = str(recipe.parent / there)
    return f"./{path}" if path in EXAMPLES else path


def merge(*layers: Mapping[str, Mapping[str, Any]]) -> Choices:
    """Choices of all layers; of two the later one wins, as a label does over an earlier target."""
    merged: Choices = {}
    for layer in layers:
        for section, chosen in layer.items():
            into = merged.setdefault(section, {})
            for asked, dropped in (("label", ("target",)), ("target", ("label", "positive"))):
                if chosen.get(asked):
                    for name in dropped:
                        into.pop(name, None)
            into.update(chosen)
    return merged


def check_names(choices: Mapping[str, Any]) -> None:
    """Refuse sections and choices that no recipe has.

    Raises:
        ScratchmlError: with what was perhaps meant.
    """
    for section, chosen in choices.items():
        if section not in SECTIONS:
            raise ScratchmlError(f"unknown section [{section}]: {_near(section, SECTIONS)}")
        if not isinstance(chosen, Mapping):
            raise ScratchmlError(f"{section} is a section: write [{section}], its choices below")
        for name in chosen:
            if name not in SECTIONS[section]:
                raise ScratchmlError(_unknown(section, name))


def _unknown(section: str, name: str) -> str:
    where = f"in [{section}]" if section else "above the sections"
    if name in SECTIONS and name:
        return f"{name} is a section: write [{name}], its choices below"
    for other, names in SECTIONS.items():
        if name in names:
            there = f"in [{other}]" if other else "above the sections"
            return f"{name} stands {where}: it belongs {there}"
    return f"unknown choice {name!r} {where}: {_near(name, SECTIONS[section])}"


def _near(name: str, known: Iterable[str]) -> str:
    known = [word for word in known if word]
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _task(data: object, chosen: Mapping[str, Any]) -> Task:
    """An example, or what a file is: a table, if a label or target is asked for, else weather."""
    if not isinstance(data, str) or not data or "\0" in data:
        raise ScratchmlError(f"data {data!r}: it must be {', '.join(EXAMPLES)} or a file")
    if data in EXAMPLES:
        return TASKS[data]
    path = Path(data)
    if path.suffix.lower() == ENDING:
        raise ScratchmlError(f"{data}: a recipe cannot be the data: name an example or a table")
    if not path.suffix and not path.exists():
        raise ScratchmlError(f"{data!r} is neither an example ({', '.join(EXAMPLES)}) nor a file")
    return TASKS["table" if chosen.get("label") or chosen.get("target") else "snow"]


def _check_dataset(task: Task, data: str, chosen: Mapping[str, Any]) -> None:
    own = choices_of(task.name)
    for name in chosen:
        if name in own:
            continue
        if task.name == "snow" and data != "snow" and name in choices_of("table"):
            raise ScratchmlError(
                f"{name} is about tables of samples: say what is asked of this one, the column of "
                f"classes (--label) or of a number (--target)"
            )
        others = [other.about for other in TASKS.values() if name in choices_of(other.name)]
        listed = " and ".join(filter(None, [", ".join(others[:-1]), others[-1]]))
        raise ScratchmlError(f"{name} is about {listed}, not about {task.about}")
