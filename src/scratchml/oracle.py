"""TensorFlow Lite Micro, from its own Python wheel, as the judge of every byte.

It runs as ``python -m scratchml.oracle``: see ``runtimes``.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import numpy.typing as npt

from scratchml import tflite
from scratchml.quantized import QuantizedMLP
from scratchml.runtimes import Child, run_elsewhere

Int8 = npt.NDArray[np.int8]

INSTALL = "pip install 'scratchml[oracle]'  (Linux, x86-64, Python 3.10 to 3.13)"


def available() -> bool:
    """Whether the wheel is installed here."""
    return importlib.util.find_spec("tflite_micro") is not None


def run(model: QuantizedMLP, rows: Int8, file: bytes | None = None) -> Int8:
    """int8 rows ``[n, inputs]`` to int8 rows ``[n, outputs]``, computed by TensorFlow Lite Micro.

    Args:
        file: the ``.tflite`` file that the model was read from; by default it is written anew.

    Raises:
        ScratchmlError: it refuses the model, or its process dies.
    """
    contents = tflite.to_bytes(model) if file is None else file
    return run_elsewhere("scratchml.oracle", "TensorFlow Lite Micro", contents, model, rows)


def main() -> None:
    """Rows from standard input through the model, one by one, to standard output."""
    from tflite_micro import runtime

    child = Child()
    interpreter = runtime.Interpreter.from_file(child.path)
    for row in child.rows(interpreter.get_input_details(0)):
        interpreter.set_input(row, 0)
        interpreter.invoke()
        child.send(interpreter.get_output(0))


if __name__ == "__main__":
    main()
