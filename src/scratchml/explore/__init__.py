"""A look at a table before anything is trained on it: numbers, tables, pictures."""

from scratchml.explore.columns import Exploration, LabelledColumns, Summary, explore

__all__ = ["Exploration", "LabelledColumns", "Summary", "explore"]
