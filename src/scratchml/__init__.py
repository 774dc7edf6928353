"""Small neural networks for microcontrollers, from numpy training to bit-exact int8 C.

Data flows one way: hours -> windows -> float network -> int8 network -> C source. Each stage is a
module that knows the one before it::

    hours = scratchml.weather.load()
    data = scratchml.make_dataset(hours, window=3, horizon=1)
    net = scratchml.MLP([6, 12, 1], dropout=0.2, seed=0)
    scratchml.train(net, data.train, data.validation)
    model = scratchml.quantize(net, data.train)
    scratchml.export_c(model, "build", name="snow_model")
"""

from scratchml import digits, sensors, weather
from scratchml.baselines import baselines
from scratchml.checkpoint import Checkpoint
from scratchml.dataset import Recipe, make_dataset
from scratchml.digest import digest
from scratchml.engine import Engine
from scratchml.errors import ScratchmlError
from scratchml.evaluate import Evaluation, choose_threshold, evaluate
from scratchml.export import export_c
from scratchml.front_end import Channel, FrontEnd
from scratchml.importers import from_arrays, from_sklearn, from_torch
from scratchml.mlp import MLP
from scratchml.quantize import quantize
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Dataset, Rows, Scaler
from scratchml.stream import Stream
from scratchml.train import History, train
from scratchml.verify import verify

__version__ = "0.1.0"

__all__ = [
    "MLP",
    "Channel",
    "Checkpoint",
    "Dataset",
    "Engine",
    "Evaluation",
    "FrontEnd",
    "History",
    "QuantizedMLP",
    "Recipe",
    "Rows",
    "Scaler",
    "ScratchmlError",
    "Stream",
    "baselines",
    "choose_threshold",
    "digest",
    "digits",
    "evaluate",
    "export_c",
    "from_arrays",
    "from_sklearn",
    "from_torch",
    "make_dataset",
    "quantize",
    "sensors",
    "train",
    "verify",
    "weather",
]
