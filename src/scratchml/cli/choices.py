"""The choices of a recipe as options, each said once here for all commands that take them."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from scratchml.errors import ScratchmlError
from scratchml.front_end import STATISTICS
from scratchml.recipe import Choices
from scratchml.tables.reading import pairs
from scratchml.tasks import TASKS

#: The headings of the pages of help, in their order there.
ASKED = "What is read, and what is asked"
WINDOWS = "Windows of hours or samples"
PARTS = "Training, validation and test rows"
TRAINING = "Network and training"
MODEL = "int8 and C"
READING = "How a file is read"


@dataclass(frozen=True)
class Choice:
    """One option: the section of the recipe that it belongs to, its type, its help.

    Attributes:
        panel: the heading that it stands below in the help; ``metavar``: what its value looks like.
        parse: what makes a recipe's value of the option's text, if that is not its type.
        names: of the option, if not the choice's.
    """

    section: str
    panel: str
    kind: Any
    metavar: str | None
    help: str
    parse: Callable[[str, Any], Any] | None = None
    names: tuple[str, ...] = ()

    @property
    def annotation(self) -> Any:
        """What Typer reads; the default is None: not chosen."""
        option = typer.Option(
            *self.names,
            help=self.help,
            metavar=self.metavar,
            rich_help_panel=self.panel,
            show_default=False,  # None; what happens then is in the help
        )
        return Annotated[self.kind | None, option]


def words(name: str, text: str) -> list[str]:
    """``a,b`` to its parts; one with a comma in it is quoted as in CSV, ``"a,b",c``."""
    try:
        (parts,) = csv.reader([text], skipinitialspace=True)
    except (csv.Error, ValueError):  # a line break, or nothing at all
        parts = text.split(",")
    return [word.strip() for word in parts if word.strip()]


def whole_numbers(name: str, text: str) -> list[int]:
    """``32,16`` to its numbers; an empty text to none."""
    try:
        return [int(word) for word in words(name, text)]
    except ValueError:
        raise ScratchmlError(f"--{name} {text!r} is not a list such as 12 or 32,16") from None


def default(name: str) -> str:
    """``Default: 20 for snow, 100 for digits and tables.``: of how a network is trained."""
    tasks: dict[str, list[str]] = {}
    for task in TASKS.values():
        value = getattr(task.training, name)
        text = ",".join(map(str, value)) if isinstance(value, tuple) else f"{value:g}"
        tasks.setdefault(text, []).append("tables" if task.name == "table" else task.name)
    if len(tasks) == 1:
        return f"Default: {next(iter(tasks))}."
    each = (f"{text} for {' and '.join(names)}" for text, names in tasks.items())
    return f"Default: {', '.join(each)}."


CHOICES: Mapping[str, Choice] = {
    "features": Choice(
        "dataset",
        ASKED,
        str,
        "A,B,...",
        "Columns that the network reads, in the order of its inputs. Default for weather: "
        "temperature_2m,relative_humidity_2m.",
        words,
    ),
    "label": Choice("dataset", ASKED, str, "COLUMN", "Column of the classes to tell apart."),
    "target": Choice(
        "dataset", ASKED, str, "COLUMN", "Column of the number to tell, instead of a label."
    ),
    "positive": Choice(
        "dataset",
        ASKED,
        str,
        "CLASS",
        "Of two classes the one that is yes. Default: the second in order.",
    ),
    "units": Choice(
        "dataset",
        ASKED,
        str,
        "U,...",
        "Units of the features, one for all or for each; one more is the target's.",
        words,
    ),
    "resolution": Choice(
        "dataset",
        ASKED,
        str,
        "N,...",
        "Counts a unit of the features, one for all or for each, as the sensor has them. "
        "Default: as many decimals as the table has.",
        whole_numbers,
    ),
    "missing": Choice(
        "dataset",
        ASKED,
        str,
        "WAY",
        "Cells without a value: refuse, drop (the sample or hour), previous (value) or median (of "
        "the training rows); the latter two not of hours. Default: refuse.",
    ),
    "snow_above": Choice(
        "dataset", ASKED, float, "CM", "Snow is more than this many cm in the hour. Default: 0.5."
    ),
    "colder_than": Choice(
        "dataset", ASKED, float, "C", "... at less than this many degrees C. Default: 2."
    ),
    "window": Choice(
        "dataset",
        WINDOWS,
        int,
        "N",
        "Hours, or samples in a row, that are read together. Default: 3 hours, or 1 sample.",
    ),
    "step": Choice(
        "dataset", WINDOWS, int, "N", "Samples from one window to the next. Default: 1."
    ),
    "horizon": Choice(
        "dataset",
        WINDOWS,
        int,
        "N",
        "Hours or samples ahead that are asked about; 0: the newest itself. Default: 1 hour, or 0 "
        "samples.",
    ),
    "statistics": Choice(
        "dataset",
        WINDOWS,
        str,
        "S,...",
        f"Of each channel of a window, instead of its samples: {', '.join(STATISTICS)}.",
        words,
    ),
    "group": Choice(
        "dataset",
        WINDOWS,
        str,
        "COLUMN",
        "Column of what no window reaches across, and a split by group keeps together: a person.",
    ),
    "session": Choice(
        "dataset",
        WINDOWS,
        str,
        "COLUMN",
        "Column of recordings: no window reaches across, either.",
    ),
    "split": Choice(
        "dataset",
        PARTS,
        str,
        "BY",
        "time, random, or group. Default: time for hours; for samples group if --group is given, "
        "time if there is a column of that name, else random.",
    ),
    "validation": Choice(
        "dataset", PARTS, float, "SHARE", "Share of the rows for the validation. Default: 0.2."
    ),
    "test": Choice(
        "dataset", PARTS, float, "SHARE", "Share of the rows for the test. Default: 0.3."
    ),
    "test_groups": Choice(
        "dataset", PARTS, str, "G,...", "Groups of the test. Default: random ones.", words
    ),
    "balance": Choice(
        "dataset",
        PARTS,
        str,
        "ROWS",
        "Undersample the majority: none, training, or all (of hours: test rows too). "
        "Default: none.",
    ),
    "scaling": Choice(
        "dataset",
        TRAINING,
        str,
        "WAY",
        "Of the inputs: standard (mean and deviation) or robust (median and quartiles). "
        "Default: standard.",
    ),
    "hidden": Choice(
        "training",
        TRAINING,
        str,
        "N,...",
        f"Units of the hidden layers, as in 32,16. {default('hidden')}",
        whole_numbers,
    ),
    "epochs": Choice("training", TRAINING, int, "N", f"At most. {default('epochs')}"),
    "batch_size": Choice("training", TRAINING, int, "N", f"Rows a step. {default('batch_size')}"),
    "learning_rate": Choice(
        "training", TRAINING, float, "RATE", f"Of Adam. {default('learning_rate')}"
    ),
    "dropout": Choice(
        "training",
        TRAINING,
        float,
        "SHARE",
        f"Share of hidden units left out of a step. {default('dropout')}",
    ),
    "patience": Choice(
        "training",
        TRAINING,
        int,
        "N",
        f"Stop after so many epochs without a better validation loss. {default('patience')}",
    ),
    "threshold": Choice(
        "training",
        TRAINING,
        float,
        "P",
        "Probability from which it counts as yes. Default: the best F1 on validation rows; 0.5 "
        "with --paper.",
    ),
    "percentile": Choice(
        "quantization",
        MODEL,
        float,
        "P",
        "Where the range of an activation ends: 99.9 leaves a thousandth of the values out at "
        "either end. Default: 100, from the least to the greatest.",
    ),
    "name": Choice("export", MODEL, str, "NAME", "The model's name in C. Default: after the data."),
    "columns": Choice(
        "reading",
        READING,
        list[str],
        "OLD=NEW",
        "A column's name in the file, and its name here: --map temp=temperature_2m. Again for "
        "each column.",
        lambda name, entries: pairs(entries),
        ("--map",),
    ),
    "delimiter": Choice(
        "reading",
        READING,
        str,
        "SIGN",
        "What stands between cells: one character, or tab. Default: what the header shows of "
        "comma, semicolon, tab and |.",
    ),
    "decimal": Choice(
        "reading", READING, str, "SIGN", "The decimal sign, a point or a comma. Default: a point."
    ),
    "encoding": Choice(
        "reading",
        READING,
        str,
        "NAME",
        "Such as cp1252 or utf-16. Default: UTF-8, or what the file's mark says.",
    ),
    "time": Choice(
        "reading",
        READING,
        str,
        "COLUMN",
        "The column of time in the file. Default: time.",
        names=("--time-column",),
    ),
    "time_format": Choice(
        "reading",
        READING,
        str,
        "FORMAT",
        "A pattern such as '%d.%m.%Y %H:%M'; unix or unix_ms, which count from 1970; seconds, "
        "which count from anywhere. Default: ISO 8601, as in 2020-01-31T23:00+01:00.",
    ),
    "time_zone": Choice(
        "reading",
        READING,
        str,
        "ZONE",
        "Of times that have none, such as Europe/Berlin. Default: UTC.",
    ),
    "fahrenheit": Choice(
        "reading",
        READING,
        bool,
        None,
        "Temperatures in the file are in degrees Fahrenheit: those of weather, and columns whose "
        "unit is C (--units).",
        names=("--fahrenheit",),
    ),
    "skip_lines": Choice("reading", READING, int, "N", "Lines above the header. Default: 0."),
    "comment": Choice(
        "reading",
        READING,
        str,
        "MARK",
        "What lines begin with that are to be left out, such as #. Default: none.",
    ),
}


def with_choices(*sections: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command whose last parameter is ``**choices`` an option for each of these sections.

    Typer reads options off a signature; written out, every command would repeat some thirty.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True)
        kept = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        added = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=choice.annotation
            )
            for name, choice in CHOICES.items()
            if choice.section in sections
        ]
        function.__signature__ = own.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]  # of any function
        function.__annotations__ = {p.name: p.annotation for p in (*kept, *added)}
        return function

    return decorate


def chosen(options: Mapping[str, Any]) -> Choices:
    """The options that were given, as the choices of a recipe.

    Raises:
        ScratchmlError: a list is none.
    """
    choices: Choices = {}
    for name, value in options.items():
        if value is not None:
            choice = CHOICES[name]
            if choice.parse:
                value = choice.parse(name.replace("_", "-"), value)
            choices.setdefault(choice.section, {})[name] = value
    return choices
