"""The command line: ``scratchml run`` does everything, the other commands one step each."""

import signal
import sys

from scratchml.cli.app import app

# Imported for what they do: each adds its commands, and --help lists them in this order, which is
# that of the work and not the alphabet's.
from scratchml.cli import fetch, explore, init, training, commands, inspection, trace, cost  # noqa: F401  # isort: skip
from scratchml.cli import board, board_weather  # noqa: F401  # isort: skip


def main() -> None:
    """The ``scratchml`` command; ended by SIGTERM it cleans up as after Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    app()
