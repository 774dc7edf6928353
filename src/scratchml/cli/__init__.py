"""The command line: ``scratchml run`` does everything, the other commands one step each."""

from scratchml.cli.commands import app


def main() -> None:
    """The ``scratchml`` command."""
    app()
