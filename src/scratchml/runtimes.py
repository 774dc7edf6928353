"""Other runtimes, each in a process of its own: they may abort it, and they need not be there.

The parent sends int8 rows to ``python -m MODULE``; the child feeds them to the file, whatever type
the file's own input and output have, and sends int8 rows back.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml.affine import Quantization
from scratchml.errors import ScratchmlError
from scratchml.quantized import QuantizedMLP

Int8 = npt.NDArray[np.int8]


def run_elsewhere(
    module: str, name: str, file: bytes, model: QuantizedMLP, rows: Int8, *options: str
) -> Int8:
    """Run ``file`` on ``rows[n, inputs]`` in a process of ``module``; gives ``[n, outputs]``.

    Args:
        name: of the runtime, for messages.
        model: what was read from ``file``.

    Raises:
        ScratchmlError: it refuses the file, or its process dies.
    """
    edges = (model.layers[0].source, model.output_quantization)
    numbers = [repr(value) for edge in edges for value in (edge.scale, edge.zero_point)]
    with tempfile.TemporaryDirectory(prefix="scratchml-") as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(file)
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", module, str(path), *numbers, *options],
            input=np.ascontiguousarray(rows).tobytes(),
            cwd=folder,  # -m looks for modules there first, and not in the user's folder
            capture_output=True,
        )
    if result.returncode or len(result.stdout) != len(rows) * model.outputs:
        lines = result.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise ScratchmlError(f"{name} failed ({result.returncode}): {lines[-1]}")
    return np.frombuffer(result.stdout, np.int8).reshape(len(rows), model.outputs)


class Child:
    """The child's side: what the parent sent, and codes to and from the file's own types."""

    def __init__(self) -> None:
        self.path = sys.argv[1]
        scale_in, zero_in, scale_out, zero_out = sys.argv[2:6]
        self.options = sys.argv[6:]
        self.source = Quantization(float(scale_in), int(zero_in))
        self.target = Quantization(float(scale_out), int(zero_out))

    def rows(self, detail: dict[str, Any]) -> npt.NDArray[Any]:
        """The rows as the file's input, ``[n, *shape]``; ``detail`` is the interpreter's."""
        shape = tuple(int(size) for size in detail["shape"])
        codes = np.frombuffer(sys.stdin.buffer.read(), np.int8).reshape(-1, *shape)
        if detail["dtype"] == np.float32:
            return self.source.real(codes)
        return codes.view(np.uint8) ^ 0x80 if detail["dtype"] == np.uint8 else codes

    def send(self, values: npt.NDArray[Any]) -> None:
        """The file's output, as int8 codes, to the parent."""
        if values.dtype == np.float32:
            codes = self.target.codes(values)
            if not np.array_equal(self.target.real(codes), values):
                sys.exit("an output is not what its code stands for")
            values = codes
        if values.dtype == np.uint8:
            values = (values ^ 0x80).view(np.int8)
        sys.stdout.buffer.write(values.tobytes())
