"""``python -m scratchml`` is the ``scratchml`` command."""

from scratchml.cli import main

main()
