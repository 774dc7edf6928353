"""The choices of a recipe as options, each said once here for all commands that take them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from scratchml.errors import ScratchmlError
from scratchml.front_end import STATISTICS
from scratchml.reading import pairs
from scratchml.recipe import Choices
from scratchml.tasks import TASKS

SNOW, DIGITS = TASKS["snow"].training, TASKS["digits"].training
READING, DATA, TRAINING = "Reading a file", "Data set", "Training"


@dataclass(frozen=True)
class Choice:
    """One option: the section of the recipe that it belongs to, its type, its help.

    Attributes:
        parse: what makes a recipe's value of the option's text, if that is not its type.
        names: of the option, if not the choice's.
    """

    section: str
    kind: Any
    help: str
    parse: Callable[[str, Any], Any] | None = None
    names: tuple[str, ...] = ()

    @property
    def annotation(self) -> Any:
        """What Typer reads; the default is None: not chosen."""
        panel = {"reading": READING, "dataset": DATA, "training": TRAINING}.get(self.section)
        option = typer.Option(*self.names, help=self.help, rich_help_panel=panel)
        return Annotated[self.kind | None, option]


def words(name: str, text: str) -> list[str]:
    """``a,b`` to its parts."""
    return [word.strip() for word in text.split(",") if word.strip()]


def whole_numbers(name: str, text: str) -> list[int]:
    """``32,16`` to its numbers; an empty text to none."""
    try:
        return [int(word) for word in words(name, text)]
    except ValueError:
        raise ScratchmlError(f"--{name} {text!r} is not a list such as 12 or 32,16") from None


CHOICES: Mapping[str, Choice] = {
    # how a file is read
    "columns": Choice(
        "reading",
        list[str],
        "A column's name in the file, and its name here: --map temp=temperature_2m. Again for "
        "each column.",
        lambda name, entries: pairs(entries),
        ("--map",),
    ),
    "delimiter": Choice(
        "reading",
        str,
        "What stands between cells: one character, or tab. Default: what the header shows of "
        "comma, semicolon, tab and |.",
    ),
    "decimal": Choice("reading", str, "The decimal sign, a point or a comma. Default: a point."),
    "encoding": Choice(
        "reading", str, "Such as cp1252 or utf-16. Default: UTF-8, or what the file's mark says."
    ),
    "time": Choice(
        "reading", str, "The column of time in the file. Default: time.", names=("--time-column",)
    ),
    "time_format": Choice(
        "reading",
        str,
        "A pattern such as '%d.%m.%Y %H:%M'; unix or unix_ms, which count from 1970; seconds, "
        "which count from anywhere. Default: ISO 8601, as in 2020-01-31T23:00+01:00.",
    ),
    "time_zone": Choice(
        "reading", str, "Of times that have none, such as Europe/Berlin. Default: UTC."
    ),
    "fahrenheit": Choice(
        "reading",
        bool,
        "Temperatures in the file are in degrees Fahrenheit.",
        names=("--fahrenheit",),
    ),
    "skip_lines": Choice("reading", int, "Lines above the header. Default: 0."),
    "comment": Choice(
        "reading",
        str,
        "What lines begin with that are to be left out, such as #. Default: none.",
    ),
    # what is read and asked
    "features": Choice(
        "dataset",
        str,
        "Columns that the network reads, as in ax,ay,az. Default for weather: "
        "temperature_2m,relative_humidity_2m.",
        words,
    ),
    "label": Choice("dataset", str, "Column of the classes to tell apart."),
    "target": Choice("dataset", str, "Column of the number to tell, instead of a label."),
    "positive": Choice(
        "dataset", str, "Of two classes the one that is yes. Default: the second in order."
    ),
    "units": Choice("dataset", str, "Units of the features, one for all or for each.", words),
    "resolution": Choice(
        "dataset",
        str,
        "Counts a unit of the features, one for all or for each, as the sensor has them. "
        "Default: as many decimals as the table has, 4 at most.",
        whole_numbers,
    ),
    "window": Choice(
        "dataset",
        int,
        "Hours, or samples in a row, that the network reads. Default: 3 for hours, 1 for samples.",
    ),
    "step": Choice("dataset", int, "Samples from one window to the next. Default: 1."),
    "horizon": Choice(
        "dataset",
        int,
        "Hours or samples ahead that are forecast; 0: the newest itself. Default: 1 for hours, "
        "0 for samples.",
    ),
    "statistics": Choice(
        "dataset",
        str,
        f"Of each channel of a window, instead of its samples: {', '.join(STATISTICS)}.",
        words,
    ),
    "group": Choice(
        "dataset",
        str,
        "Column of what no window reaches across and a split by group keeps together: a person.",
    ),
    "session": Choice("dataset", str, "Column of recordings: no window reaches across, either."),
    "snow_above": Choice(
        "dataset", float, "Snow is more than this many cm in the hour. Default: 0.5."
    ),
    "colder_than": Choice("dataset", float, "... at less than this many degrees C. Default: 2."),
    # how it is shared out
    "split": Choice(
        "dataset",
        str,
        "time, random, or group. Default: time for hours; for samples group if there is one, "
        "time if there is a column of that name, else random.",
    ),
    "test_groups": Choice("dataset", str, "Groups of the test. Default: random ones.", words),
    "validation": Choice("dataset", float, "Share of the rows for it. Default: 0.2."),
    "test": Choice("dataset", float, "Share of the rows for the test. Default: 0.3."),
    "balance": Choice(
        "dataset",
        str,
        "Undersample the majority: none, training, or all (of hours: test rows too). "
        "Default: none.",
    ),
    "scaling": Choice(
        "dataset",
        str,
        "standard (mean and deviation) or robust (median and quartiles). Default: standard.",
    ),
    "missing": Choice(
        "dataset",
        str,
        "Cells without a value: refuse, drop (the sample), previous (value) or median (of the "
        "training rows). Default: refuse.",
    ),
    # the network
    "hidden": Choice(
        "training",
        str,
        f"Units of the hidden layers, as in 12 or 32,16. Default: {SNOW.hidden[0]} for snow, "
        f"{DIGITS.hidden[0]} otherwise.",
        whole_numbers,
    ),
    "epochs": Choice(
        "training", int, f"At most. Default: {SNOW.epochs} for snow, {DIGITS.epochs} otherwise."
    ),
    "batch_size": Choice("training", int, f"Rows a step. Default: {SNOW.batch_size} for snow."),
    "learning_rate": Choice(
        "training", float, f"Of Adam. Default: {SNOW.learning_rate:g} for snow."
    ),
    "dropout": Choice(
        "training",
        float,
        f"Share of hidden units left out of a step. Default: {SNOW.dropout:g} for snow.",
    ),
    "patience": Choice(
        "training",
        int,
        "Stop after this many epochs without a better validation loss. Default: "
        f"{SNOW.patience} for snow.",
    ),
    "threshold": Choice(
        "training",
        float,
        "Probability from which it counts as yes. Default: the best F1 on validation rows; 0.5 "
        "with --paper.",
    ),
    "percentile": Choice(
        "quantization",
        float,
        "Where the range of an activation ends: 99.9 leaves a thousandth of the values out at "
        "either end. Default: 100, from the least to the greatest.",
    ),
    "name": Choice("export", str, "The model's name in C. Default: after the data."),
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


def option_names(sections: Iterable[str]) -> list[str]:
    """The choices of some sections."""
    return [name for name, choice in CHOICES.items() if choice.section in sections]
