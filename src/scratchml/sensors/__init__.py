"""Anybody's table of samples, from a file to a data set."""

from scratchml.sensors.dataset import SensorDataset, make_dataset
from scratchml.sensors.recipe import Recipe
from scratchml.sensors.samples import load

__all__ = ["Recipe", "SensorDataset", "load", "make_dataset"]
