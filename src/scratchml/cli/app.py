"""The application that every module of commands adds its own to."""

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # else the lines of a docstring would end where they do here
    help="Train a small neural network in numpy, quantize it to int8, and export it to C that "
    "agrees byte for byte. Start with: scratchml run",
)
