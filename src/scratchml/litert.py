"""LiteRT, the former TensorFlow Lite, and how far it is from TensorFlow Lite Micro.

There is no one "TFLite int8". LiteRT's default delegate requantizes with floats, its reference
kernels round like neither; each differs from TensorFlow Lite Micro, and so from scratchml, in a
small share of rows. That is measured here, and not a failure.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scratchml import tflite
from scratchml.quantized import QuantizedMLP
from scratchml.runtimes import Child, run_elsewhere

Int8 = npt.NDArray[np.int8]

INSTALL = "pip install 'scratchml[litert]'"

#: What is compared, and the name of LiteRT's OpResolverType for it.
KERNELS = {"default delegate": "AUTO", "reference kernels": "BUILTIN_REF"}


@dataclass(frozen=True)
class Difference:
    """Between scratchml and LiteRT's ``kernels`` on ``rows`` rows.

    Attributes:
        differing: rows in which any output code differs.
        largest: difference of two codes.
        flips: rows whose decision differs; ``None`` where the outputs decide nothing.
    """

    kernels: str
    rows: int
    differing: int
    largest: int
    flips: int | None


def available() -> bool:
    """Whether the wheel is installed here."""
    return importlib.util.find_spec("ai_edge_litert") is not None


def differences(model: QuantizedMLP, rows: Int8, file: bytes | None = None) -> list[Difference]:
    """Compare ``model.run`` with LiteRT on int8 rows ``[n, inputs]``.

    Args:
        file: the ``.tflite`` file that the model was read from; by default it is written anew.

    Raises:
        ScratchmlError: LiteRT refuses the file.
    """
    contents = tflite.to_bytes(model) if file is None else file
    ours = model.run(rows)
    decided = model.decide(ours)
    found = []
    for name, resolver in KERNELS.items():
        theirs = run_elsewhere("scratchml.litert", "LiteRT", contents, model, rows, resolver)
        distance = np.abs(ours.astype(np.int64) - theirs)
        flips = None if decided is None else int((decided != model.decide(theirs)).sum())
        found.append(
            Difference(
                name,
                len(rows),
                int(distance.any(axis=1).sum()),
                int(distance.max(initial=0)),
                flips,
            )
        )
    return found


def main() -> None:
    """Rows from standard input through the model, one by one, to standard output."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    child = Child()
    interpreter = Interpreter(
        model_path=child.path,
        num_threads=1,
        experimental_op_resolver_type=OpResolverType[child.options[0]],
    )
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    for row in child.rows(source):
        interpreter.set_tensor(source["index"], row)
        interpreter.invoke()
        child.send(interpreter.get_tensor(target["index"]))


if __name__ == "__main__":
    main()
