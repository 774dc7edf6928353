"""The command that writes a recipe: every choice of a run, to be changed and run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scratchml.cli import options as opt
from scratchml.cli.app import app
from scratchml.cli.choices import chosen, with_choices
from scratchml.cli.console import guarded, note, print_json
from scratchml.errors import ScratchmlError
from scratchml.files import atomic_write
from scratchml.reading import Reading
from scratchml.recipe import EXAMPLES, merge, run_of
from scratchml.recipe_text import proposal, recipe_text


@app.command("init")
@guarded
@with_choices("reading", "dataset", "training", "quantization", "export")
def init_command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help=f"{', '.join(EXAMPLES)}, or a CSV file, whose columns are looked at: numbers are "
            "proposed as features, a column of a few texts as the label.",
        ),
    ] = "snow",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The recipe file. Default: the data's name, .toml."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: opt.Json = False,
    **choices: Any,
) -> None:
    """Write a recipe: a commented TOML file of every choice, to change and to run.

    Options that are given stand in it.
    """
    given = chosen(choices)
    layers = [{"": {"data": data}}]
    if data not in EXAMPLES and Path(data).exists() and not given.get("dataset"):
        layers = [proposal(Path(data), Reading.from_json(given.get("reading", {})))]
    target = output or Path(f"{run_of(merge(*layers, given)).title}.toml")
    if target.exists() and not force:
        raise ScratchmlError(f"{target} exists: choose another name with -o, or --force")
    atomic_write(target, recipe_text(merge(*layers, given), folder=target.parent))
    if as_json:
        print_json({"file": str(target)})
    note(f"{target}: change it, then: scratchml run {target}")
