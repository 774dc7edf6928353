"""TensorFlow Lite Micro, from its own Python wheel, as the judge of every byte.

It runs in a process of its own, ``python -m scratchml.oracle MODEL``: it aborts the process on a
model it does not like, and it is an extra that need not be there.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scratchml import tflite
from scratchml.errors import ScratchmlError
from scratchml.quantized import QuantizedMLP

Int8 = npt.NDArray[np.int8]

INSTALL = "pip install 'scratchml[oracle]'  (Linux, x86-64, Python 3.10 to 3.13)"


def available() -> bool:
    """Whether the wheel is installed here."""
    return importlib.util.find_spec("tflite_micro") is not None


def run(model: QuantizedMLP, rows: Int8) -> Int8:
    """int8 rows ``[n, inputs]`` to int8 rows ``[n, outputs]``, computed by TensorFlow Lite Micro.

    Raises:
        ScratchmlError: it refuses the model, or its process dies.
    """
    with tempfile.TemporaryDirectory(prefix="scratchml-") as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(tflite.to_bytes(model))
        result = subprocess.run(
            [sys.executable, "-m", "scratchml.oracle", str(path)],
            input=np.ascontiguousarray(rows).tobytes(),
            cwd=folder,  # -m looks for modules there first, and not in the user's folder
            capture_output=True,
        )
    if result.returncode or len(result.stdout) != len(rows) * model.outputs:
        lines = result.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise ScratchmlError(f"TensorFlow Lite Micro failed ({result.returncode}): {lines[-1]}")
    return np.frombuffer(result.stdout, np.int8).reshape(len(rows), model.outputs)


def main() -> None:
    """Rows from standard input through the model, one by one, to standard output."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(sys.argv[1])
    _, inputs = interpreter.get_input_details(0)["shape"]
    rows = np.frombuffer(sys.stdin.buffer.read(), np.int8).reshape(-1, 1, inputs)
    for row in rows:
        interpreter.set_input(row, 0)
        interpreter.invoke()
        sys.stdout.buffer.write(interpreter.get_output(0).tobytes())


if __name__ == "__main__":
    main()
