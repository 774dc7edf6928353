"""Anybody's CSV table: how it is written, and what is in it by line and column."""

from scratchml.tables.reading import Reading
from scratchml.tables.table import column_names, read_table

__all__ = ["Reading", "column_names", "read_table"]
