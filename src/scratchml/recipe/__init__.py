"""A run stated whole, as a TOML file or as options."""

from scratchml.recipe.run import (
    ENDING,
    EXAMPLES,
    SECTIONS,
    Choices,
    Run,
    choices_of,
    load_choices,
    merge,
    run_of,
)

__all__ = [
    "ENDING",
    "EXAMPLES",
    "SECTIONS",
    "Choices",
    "Run",
    "choices_of",
    "load_choices",
    "merge",
    "run_of",
]
