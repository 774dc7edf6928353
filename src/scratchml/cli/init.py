"""The command that writes a recipe: every choice of a run, to be changed and run again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from scratchml.cli import options as opt
from scratchml.cli.app import app
from scratchml.cli.choices import chosen, with_choices
from scratchml.cli.console import busy, guarded, note, print_json
from scratchml.errors import ScratchmlError
from scratchml.files import atomic_write
from scratchml.recipe import ENDING, EXAMPLES, Choices, load_choices, merge, run_of
from scratchml.recipe.proposal import looks_headless, proposal
from scratchml.recipe.text import recipe_text
from scratchml.tables.reading import Reading


@app.command("init")
@guarded
@with_choices("reading", "dataset", "training", "quantization", "export")
def init_command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help=f"{', '.join(EXAMPLES)}, or a CSV file, whose columns are looked at: numbers are "
            "proposed as features, a column of a few texts as the label; columns called person or "
            "subject, session, and time as what they say.",
        ),
    ] = "snow",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The recipe file. Default: the data's name, .toml.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    seed: opt.Seed = None,
    as_json: opt.Json = False,
    **choices: Any,
) -> None:
    """Write a recipe: a commented TOML file of every choice, to change and to run.

    Options that are given stand in it.
    """
    given = chosen(choices)
    if seed is not None:
        given[""] = {"seed": seed}
    layers: list[Choices] = [{"": {"data": data}}]
    if Path(data).suffix.lower() == ENDING:
        raise ScratchmlError(f"{data} is a recipe already: scratchml run {data}")
    if data not in EXAMPLES and (Path(data).suffix or Path(data).exists()):
        reading = Reading.from_json(given.get("reading", {}))
        with busy("looking at the columns"):
            layers = [proposal(Path(data), reading, given.get("dataset"))]
    wanted = merge(*layers, given)
    target = output or Path(f"{run_of(wanted).title}{ENDING}")
    if target.is_dir():
        raise ScratchmlError(f"{target} is a folder: name a file in it with -o")
    if target.exists() and not force:
        raise ScratchmlError(f"{target} exists: choose another name with -o, or --force")
    atomic_write(target, recipe_text(wanted, folder=target.parent))
    if as_json:
        written = load_choices(target)
        print_json({"file": str(target), "recipe": {**written.pop(""), **written}})
    if looks_headless(wanted):
        names = ", ".join(wanted["dataset"]["features"][:4])
        note(f"note: columns are called {names}: if these are values, put a line of names above")
    note(f"{target}: change it, then: scratchml run {shlex.quote(str(target))}")
