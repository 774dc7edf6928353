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

from scratchml import dataset, exercises, sensors
from scratchml.errors import ScratchmlError
from scratchml.reading import Reading
from scratchml.rows import Dataset, check_number
from scratchml.tasks import TASKS, AnyRecipe, Training, make

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Choices: TypeAlias = dict[str, dict[str, Any]]

#: What a recipe file may choose, by section; [dataset] has what the task's recipe has.
SECTIONS = {
    "": ("data", "seed"),
    "reading": tuple(f.name for f in fields(Reading)),
    "dataset": (),
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
        name: of the model in C; ``None``: after the data.
    """

    data: str
    dataset: AnyRecipe
    training: Training
    threshold: float | None = None
    percentile: float = 100.0
    name: str | None = None

    @property
    def path(self) -> Path | None:
        """The file, unless the data is an example's."""
        return None if self.data in EXAMPLES else Path(self.data)

    @property
    def title(self) -> str:
        """The example's name, or that of the file without its endings."""
        if self.path is None:
            return self.data
        return self.path.name.removesuffix(".gz").rsplit(".", 1)[0] or self.path.name

    def table(self) -> pd.DataFrame:
        """The samples that the data set is cut from; see ``sensors.load``."""
        if isinstance(self.dataset, exercises.Recipe):
            return exercises.load(self.dataset)
        if self.path is None or not isinstance(self.dataset, sensors.Recipe):
            raise ScratchmlError(f"{self.data} is no table of samples")
        return sensors.load(self.path, self.dataset)

    def load(self) -> Dataset:
        """The data set; see ``tasks.make``."""
        return make(self.dataset, self.path)


#: Tasks whose data is in the package.
EXAMPLES = tuple(name for name, task in TASKS.items() if task.recipe is not sensors.Recipe)


def run_of(choices: Choices, *, paper: bool = False) -> Run:
    """The run that ``choices`` describe; ``paper``: the original exercise, where they are silent.

    Raises:
        ScratchmlError: an unknown section or choice, one that the data has no use for, or a value
            that is none.
    """
    _check_names("section", choices, SECTIONS)
    for section, chosen in choices.items():
        if section != "dataset":
            where = f"[{section}]" if section else "the recipe"
            _check_names("choice", chosen, SECTIONS[section], f" in {where}")
    top, chosen = choices.get("", {}), dict(choices.get("dataset", {}))
    data = top.get("data", "snow")
    if not isinstance(data, str) or not data:
        raise ScratchmlError(f"data {data!r}: it must be {', '.join(EXAMPLES)} or a file")
    asks = {"label", "target"} & {name for name, value in chosen.items() if value}
    if data in EXAMPLES:
        task = TASKS[data]
    elif not Path(data).suffix and not Path(data).exists():
        raise ScratchmlError(f"{data!r} is neither an example ({', '.join(EXAMPLES)}) nor a file")
    else:
        task = TASKS["table" if asks else "snow"]
    if paper:
        if task.name != "snow":
            raise ScratchmlError(f"--paper is about weather, not about {task.name}")
        chosen = {**dataset.PAPER, **chosen}
    _check_dataset(task.name, data, chosen)
    if choices.get("reading"):
        if data in EXAMPLES:
            raise ScratchmlError(f"{next(iter(choices['reading']))}: {data} is in the package")
        chosen["reading"] = Reading.from_json(choices["reading"])
    if "seed" in top:
        chosen["seed"] = top["seed"]
    training = {**asdict(task.training), **choices.get("training", {})}
    threshold = training.pop("threshold", 0.5 if paper else None)
    percentile = choices.get("quantization", {}).get("percentile", 100.0)
    name = choices.get("export", {}).get("name")
    if threshold is not None:
        check_number("threshold", threshold)
    check_number("percentile", percentile)
    if name is not None and not isinstance(name, str):
        raise ScratchmlError(f"name {name!r}: it must be a text")
    return Run(data, task.recipe(**chosen), Training(**training), threshold, percentile, name)


def load_choices(path: Path) -> Choices:
    """Read a recipe file; the data's path in it is relative to the file's folder.

    Raises:
        ScratchmlError: it is not TOML, or not of sections.
        OSError: it cannot be read.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScratchmlError(f"{path}: this is not a TOML file ({error})") from None
    choices: Choices = {"": {}}
    for name, value in values.items():
        if isinstance(value, dict):
            choices[name] = value
        else:
            choices[""][name] = value
    data = choices[""].get("data")
    if isinstance(data, str) and data not in EXAMPLES:
        choices[""]["data"] = str(path.parent / data)
    return choices


def merge(*layers: Mapping[str, Mapping[str, Any]]) -> Choices:
    """Choices of all layers; of two the later one wins."""
    merged: Choices = {}
    for layer in layers:
        for section, chosen in layer.items():
            merged.setdefault(section, {}).update(chosen)
    return merged


def _check_dataset(task: str, data: str, chosen: Mapping[str, Any]) -> None:
    own = _choices_of(task)
    for name in chosen:
        if name in own:
            continue
        if task == "snow" and data != "snow" and name in _choices_of("table"):
            raise ScratchmlError(
                f"{name} is about tables of samples: name what is asked as well, --label for "
                f"classes or --target for a number"
            )
        tasks = [other for other in TASKS if name in _choices_of(other)]
        if tasks:
            raise ScratchmlError(f"{name} is about {' and '.join(tasks)}, not about {task}")
        _check_names("choice", [name], own, " in [dataset]")


def _choices_of(task: str) -> list[str]:
    return [f.name for f in fields(TASKS[task].recipe) if f.name not in ("reading", "seed")]


def _check_names(kind: str, names: Iterable[str], known: Iterable[str], where: str = "") -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, [word for word in known if word], 1)
            words = ", ".join(word for word in known if word)
            hint = f"did you mean {near[0]}?" if near else f"known are {words}"
            raise ScratchmlError(f"unknown {kind} {name!r}{where}: {hint}")
