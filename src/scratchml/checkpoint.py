"""The float network on disk: an ``.npz`` file of weights, with what gives them a meaning.

Arrays ``layer1_weights[outputs, inputs]``, ``layer1_bias[outputs]`` and so on, and ``metadata``,
a JSON text. Nothing is pickled.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from scratchml import dataset, digits, tasks
from scratchml.errors import ScratchmlError
from scratchml.files import atomic_write
from scratchml.front_end import FrontEnd
from scratchml.mlp import MLP
from scratchml.rows import Scaler


@dataclass(frozen=True)
class Checkpoint:
    """A trained network, the scaler of its inputs and the recipe of its data.

    Attributes:
        data: ``fingerprint`` of the hours it was trained on.
        front_end: what made the rows' counts of a stream of samples, or ``None``.
    """

    net: MLP
    scaler: Scaler
    recipe: dataset.Recipe | digits.Recipe
    data: str
    front_end: FrontEnd | None = None

    def metadata(self) -> dict[str, Any]:
        """What travels on with the int8 model: recipe, data and seed."""
        return {**tasks.to_metadata(self.recipe), "data": self.data, "seed": self.net.seed}

    def save(self, path: str | PathLike[str]) -> None:
        """Write the ``.npz`` file; the same checkpoint gives the same bytes."""
        net = self.net
        arrays: dict[str, Any] = {}
        for number, w in enumerate(net.weights, start=1):
            arrays[f"layer{number}_weights"] = w[:, :-1]
            arrays[f"layer{number}_bias"] = w[:, -1]
        metadata = {
            **self.metadata(),
            "features": asdict(self.scaler),
            "hidden": list(net.hidden),
            "output": net.output,
            "dropout": net.dropout,
            "threshold": float(net.threshold),
        }
        if self.front_end:
            metadata["front_end"] = self.front_end.to_dict()
        buffer = io.BytesIO()
        np.savez(buffer, metadata=np.array(json.dumps(metadata, sort_keys=True)), **arrays)
        atomic_write(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Checkpoint:
        """Read the ``.npz`` file.

        Raises:
            ScratchmlError: it is damaged, or was not written by ``save``.
            OSError: it cannot be read.
        """
        contents = io.BytesIO(Path(path).read_bytes())
        try:
            with np.load(contents, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            metadata = json.loads(str(arrays.pop("metadata")))
            front_end = metadata.get("front_end")
            return cls(
                _network(arrays, metadata),
                Scaler.from_dict(metadata["features"]),
                tasks.from_metadata(metadata),
                str(metadata["data"]),
                FrontEnd.from_dict(front_end) if front_end is not None else None,
            )
        except ScratchmlError as error:
            raise ScratchmlError(f"{path}: {error}") from None
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            ArithmeticError,
            RuntimeError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
        ):
            raise ScratchmlError(
                f"{path}: this is not a whole model.npz as `scratchml train` writes it"
            ) from None


def _network(arrays: Mapping[str, Any], metadata: Mapping[str, Any]) -> MLP:
    layers = range(1, (len(arrays) + 1) // 2 + 1)
    weights = [arrays[f"layer{n}_weights"] for n in layers]
    biases = [arrays[f"layer{n}_bias"] for n in layers]
    sizes = [weights[0].shape[1], *(len(bias) for bias in biases)]
    fits = [
        w.shape == (n_out, n_in) for w, (n_in, n_out) in zip(weights, pairwise(sizes), strict=True)
    ]
    if not all(fits) or any(bias.ndim != 1 for bias in biases):
        raise ScratchmlError("the shapes of the weights do not fit each other")
    if any(array.dtype.kind != "f" or not np.isfinite(array).all() for array in arrays.values()):
        raise ScratchmlError("the weights are not finite floats")
    net = MLP(
        sizes,
        activations=metadata["hidden"],
        output=metadata["output"],
        dropout=float(metadata["dropout"]),
        seed=int(metadata["seed"]),
    )
    net.threshold = float(metadata["threshold"])
    if not 0 < net.threshold <= 1:
        raise ScratchmlError(f"the threshold {net.threshold:g} is not a probability")
    for target, w, b in zip(net.weights, weights, biases, strict=True):
        target[:, :-1], target[:, -1] = w, b
    return net
