"""Float networks from elsewhere: plain arrays, scikit-learn and torch.

What is read are plain attributes; neither library is imported. A network that cannot be told
exactly is refused by the name of what is not understood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml.errors import ScratchmlError
from scratchml.mlp import HIDDEN, MLP, OUTPUTS, Floats

#: scikit-learn's names, and torch's, for what is known here.
SKLEARN = {"identity": "linear", "relu": "relu", "logistic": "sigmoid", "softmax": "softmax"}
TORCH = {"ReLU": "relu", "ReLU6": "relu6", "Sigmoid": "sigmoid", "Softmax": "softmax"}
HARDTANH = {(-1, 1): "relu_n1_to_1", (0, 6): "relu6"}
#: torch's layers that change nothing once a network is trained; Flatten makes rows of images.
TRANSPARENT = ("Dropout", "Identity", "Flatten")


def from_arrays(
    weights: Sequence[npt.ArrayLike],
    biases: Sequence[npt.ArrayLike | None] | None,
    activations: Sequence[str],
    *,
    threshold: float = 0.5,
) -> MLP:
    """A network of weights from anywhere, stored in float32.

    Args:
        weights: ``[outputs, inputs]`` for each layer. (Keras keeps ``[inputs, outputs]``:
            transpose.)
        biases: ``[outputs]`` for each layer; None for a layer without, or for all of them.
        activations: for each layer, a key of ``HIDDEN``; for the last one, a key of ``OUTPUTS``.
        threshold: predictions from here on count as positive.

    Raises:
        ScratchmlError: arrays that do not fit each other, that are not numbers or not finite in
            float32, an activation that is not known, a threshold outside ``(0, 1]``.
    """
    biases = [None] * len(weights) if biases is None else biases
    if not len(weights) == len(biases) == len(activations) > 0:
        raise ScratchmlError(
            f"{len(weights)} weights, {len(biases)} biases and {len(activations)} activations: "
            "give one of each for every layer"
        )
    if not 0 < threshold <= 1:
        raise ScratchmlError(f"the threshold {threshold:g} is not a probability")
    layers: list[tuple[Floats, Floats]] = []
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True), start=1):
        layers.append(_layer(number, weight, bias, len(layers[-1][0]) if layers else None))
    *hidden, last = activations
    for number, name in enumerate(hidden, start=1):
        _check(name, f"layer {number}", HIDDEN)
    _check(last, "the last layer", OUTPUTS)
    sizes = [layers[0][0].shape[1], *(len(w) for w, _ in layers)]
    net = MLP(sizes, activations=hidden, output=last)
    net.threshold = float(threshold)
    for target, (w, b) in zip(net.weights, layers, strict=True):
        target[:, :-1], target[:, -1] = w, b
    return net


def _layer(
    number: int, weight: npt.ArrayLike, bias: npt.ArrayLike | None, inputs: int | None
) -> tuple[Floats, Floats]:
    """The two arrays in float32, if they fit each other and the layer before."""
    w = _floats(weight, f"the weights of layer {number}")
    if w.ndim != 2 or w.size == 0 or w.shape[1] != (inputs or w.shape[1]):
        raise ScratchmlError(
            f"the weights of layer {number} are of shape {w.shape}: they must be "
            f"[outputs, {inputs or 'inputs'}]"
        )
    b = _floats(np.zeros(len(w)) if bias is None else bias, f"the bias of layer {number}")
    if b.shape != (len(w),):
        raise ScratchmlError(
            f"the bias of layer {number} is of shape {b.shape}: it must be [{len(w)}]"
        )
    return w, b


def _floats(values: npt.ArrayLike, name: str) -> Floats:
    """As float32, if they are finite numbers there."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ScratchmlError(f"{name}: {error}") from None
    if array.dtype.kind not in "fiu":
        raise ScratchmlError(f"{name}: not numbers but {array.dtype}")
    with np.errstate(over="ignore"):
        floats = array.astype(np.float32)
    if not np.isfinite(floats).all():
        raise ScratchmlError(f"{name}: not finite in float32")
    return floats


def _check(name: str, place: str, known: Iterable[str]) -> None:
    if name not in list(known):
        raise ScratchmlError(
            f"the activation of {place} cannot be {name!r}: take one of {', '.join(known)}"
        )


def from_sklearn(model: Any) -> MLP:
    """A fitted ``MLPClassifier`` or ``MLPRegressor``.

    ``predict`` then gives what ``predict_proba`` or the regressor's ``predict`` gives there; for
    two classes the one column is the probability of ``classes_[1]``.

    Raises:
        ScratchmlError: another kind of model, one that is not fitted, or one with an activation
            that is not known here (tanh).
    """
    name = type(model).__name__
    if not hasattr(model, "hidden_layer_sizes"):
        raise ScratchmlError(f"{name} is not an MLPClassifier or MLPRegressor of scikit-learn")
    if not hasattr(model, "coefs_"):
        raise ScratchmlError(f"the {name} has no weights yet: fit it first")
    names = [model.activation] * (len(model.coefs_) - 1) + [model.out_activation_]
    for activation in names:
        if activation not in SKLEARN:
            raise ScratchmlError(
                f"{name}: the activation {activation!r} is not known here: train it with one "
                f"of {', '.join(SKLEARN)}"
            )
    return from_arrays(
        [np.transpose(w) for w in model.coefs_],  # it keeps [inputs, outputs]
        model.intercepts_,
        [SKLEARN[activation] for activation in names],
    )


def from_torch(model: Any, output: str | None = None) -> MLP:
    """A ``torch.nn.Sequential`` of Linear layers and their activations, as in ``model.eval()``.

    Args:
        model: Linear, ReLU, ReLU6, Hardtanh, Sigmoid, Softmax, Dropout, Identity, Flatten, and
            Sequential of these.
        output: what the sums of the last Linear mean, where the model leaves that to its loss:
            ``softmax`` if it was trained with CrossEntropyLoss, ``sigmoid`` if with
            BCEWithLogitsLoss; ``linear`` if not given.

    Raises:
        ScratchmlError: another kind of model, or a layer that is not known or not in its place,
            with its index.
    """
    if type(model).__name__ != "Sequential":
        raise ScratchmlError(
            f"{type(model).__name__} is not a torch.nn.Sequential, whose layers follow each other: "
            "make one of its layers"
        )
    weights: list[Floats] = []
    biases: list[Floats | None] = []
    activations: list[str | None] = []
    for place, layer in _torch_layers(model):
        kind = type(layer).__name__
        if kind == "Linear":
            weights.append(_torch_array(layer.weight))
            biases.append(None if layer.bias is None else _torch_array(layer.bias))
            activations.append(None)
        elif kind in TRANSPARENT:
            if kind == "Flatten" and layer.start_dim != 1:
                raise ScratchmlError(f"{place} flattens across rows: its start_dim must be 1")
        else:
            name = _torch_activation(place, layer)
            if not activations or activations[-1] is not None:
                raise ScratchmlError(f"{place} does not follow a Linear layer")
            activations[-1] = name
    if not activations:
        raise ScratchmlError("the Sequential has no Linear layer")
    if output and activations[-1] not in (None, output):
        raise ScratchmlError(f"the model ends in {activations[-1]}: leave out output={output!r}")
    names = [activation or "linear" for activation in activations]
    names[-1] = activations[-1] or output or "linear"
    return from_arrays(weights, biases, names)


def _torch_layers(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each layer with its place, ``layer 2.0 (ReLU)``, those of nested Sequentials in their turn.

    By iteration: ``named_children`` leaves out a layer that is used a second time.
    """
    for index, layer in enumerate(model):
        kind = type(layer).__name__
        if kind == "Sequential":
            yield from _torch_layers(layer, f"{prefix}{index}.")
        else:
            yield f"layer {prefix}{index} ({kind})", layer


def _torch_activation(place: str, layer: Any) -> str:
    kind = type(layer).__name__
    if kind == "Hardtanh":
        limits = (layer.min_val, layer.max_val)
        if limits not in HARDTANH:
            raise ScratchmlError(f"{place} clips to {list(limits)}: known are [-1, 1] and [0, 6]")
        return HARDTANH[limits]
    if kind == "Softmax" and layer.dim not in (1, -1):
        raise ScratchmlError(f"{place} goes along dim={layer.dim}: it must be 1 or -1")
    if kind not in TORCH:
        known = ("Linear", "Hardtanh", *TORCH, *TRANSPARENT, "Sequential")
        raise ScratchmlError(f"{place} cannot be imported: known are {', '.join(known)}")
    return TORCH[kind]


def _torch_array(tensor: Any) -> Floats:
    array: Floats = tensor.detach().cpu().float().numpy()
    return array
