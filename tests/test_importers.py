"""Networks from scikit-learn and torch predict here what they predict there."""

from __future__ import annotations

import ast
import copy
import math
import sys
import warnings
from collections import OrderedDict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from torch import nn

from scratchml import MLP, ScratchmlError
from scratchml.importers import from_arrays, from_sklearn, from_torch
from scratchml.mlp import HIDDEN, OUTPUTS, Floats

examples = settings(deadline=None, max_examples=60)

sizes = st.lists(st.integers(1, 9), min_size=2, max_size=5)
seeds = st.integers(0, 2**32 - 1)


def inputs(columns: int, seed: int, n: int = 20) -> Floats:
    return np.random.default_rng(seed).normal(0, 2, (n, columns)).astype(np.float32)


def assert_close(ours: Floats, theirs: Floats) -> None:
    """To float32 accuracy, of sums of a few terms."""
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    scale = max(1.0, float(np.abs(theirs).max()))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6 * scale)


# Arrays.


def arrays(units: list[int], seed: int = 0) -> tuple[list[Floats], list[Floats | None], list[str]]:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(n_out, n_in)) for n_in, n_out in pairwise(units)]
    biases: list[Any] = [rng.normal(size=n_out) for n_out in units[1:]]
    return weights, biases, ["relu"] * (len(units) - 2) + ["sigmoid"]


@examples
@given(units=sizes, seed=seeds, data=st.data())
def test_arrays_become_the_network_that_they_spell_out(
    units: list[int], seed: int, data: st.DataObject
) -> None:
    weights, biases, _ = arrays(units, seed)
    biases = [b if data.draw(st.booleans()) else None for b in biases]
    *hidden, output = (
        data.draw(st.sampled_from(list(OUTPUTS if last else HIDDEN)))
        for last in [False] * (len(units) - 2) + [True]
    )
    net = from_arrays(weights, biases, [*hidden, output])
    assert (net.sizes, net.hidden, net.output) == (tuple(units), tuple(hidden), output)
    twin = MLP(units, activations=hidden, output=output, dtype=np.float64)
    for target, w, b in zip(twin.weights, weights, biases, strict=True):
        target[:, :-1], target[:, -1] = w, 0 if b is None else b
    x = inputs(units[0], seed)
    assert_close(net.predict(x), twin.predict(x))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int8, np.uint16, list])
def test_numbers_of_any_type_are_taken(kind: Any) -> None:
    weights: Any = [[[3, 1], [4, 1]], [[5, 9]]]
    biases: Any = [[2, 6], [5]]
    if kind is not list:
        weights, biases = ([np.array(a, kind) for a in part] for part in (weights, biases))
    net = from_arrays(weights, biases, ["relu", "linear"])
    assert net.parameters.tolist() == [3, 1, 2, 4, 1, 6, 5, 9, 5]
    assert net.predict(np.array([[1, -2]], np.float32)).tolist() == [[5 * 3 + 9 * 8 + 5]]


def test_none_stands_for_all_biases() -> None:
    weights, _, activations = arrays([3, 4, 2])
    net = from_arrays(weights, None, activations)
    assert not any(w[:, -1].any() for w in net.weights)


def test_the_network_owns_its_weights_and_its_threshold() -> None:
    weights, biases, activations = arrays([3, 4, 1])
    net = from_arrays(weights, biases, activations, threshold=0.3)
    before = net.parameters.copy()
    weights[0][:] = 0
    np.testing.assert_array_equal(net.parameters, before)
    assert net.decision_threshold == 0.3
    assert from_arrays(weights, biases, activations).decision_threshold == 0.5


def test_an_imported_network_can_be_saved_as_if_it_had_been_trained() -> None:
    net = from_arrays(*arrays([3, 4, 1]))
    assert net.dropout == 0
    assert net.parameters.dtype == np.float32
    assert all(np.shares_memory(w, net.parameters) for w in net.weights)


@pytest.mark.parametrize("which", ["weights", "bias"])
@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: np.where(a == a.flat[-1], np.nan, a), "not finite in float32"),
        (lambda a: np.where(a == a.flat[-1], -np.inf, a), "not finite in float32"),
        (lambda a: np.where(a == a.flat[-1], 1e300, a), "not finite in float32"),
        (lambda a: a.astype(str), "not numbers but <U"),
        (lambda a: a.astype(object), "not numbers but object"),
        (lambda a: a + 1j, "not numbers but complex128"),
        (lambda a: a > 0, "not numbers but bool"),
        (lambda a: [[1.0], [1.0, 2.0]], "inhomogeneous"),
        (lambda a: a[:0], "is of shape|are of shape"),
        (lambda a: a[..., None], "is of shape|are of shape"),
        (lambda a: np.float64(1), "is of shape|are of shape"),
        (lambda a: np.concatenate([a, a]), "is of shape|are of shape"),
    ],
)
def test_what_is_no_layer_is_refused_with_its_number(
    which: str, layer: int, change: Any, message: str
) -> None:
    weights, biases, activations = arrays([3, 4, 2])
    part: list[Any] = weights if which == "weights" else biases
    part[layer] = change(part[layer])
    with pytest.raises(ScratchmlError, match=message) as caught:
        from_arrays(weights, biases, activations)
    text = str(caught.value)
    assert "\n" not in text
    assert f"of layer {layer + 1}" in text


def test_layers_that_do_not_follow_each_other_are_refused() -> None:
    weights, biases, activations = arrays([3, 4, 2])
    weights[1] = np.zeros((2, 5))
    with pytest.raises(ScratchmlError, match=r"layer 2 are of shape \(2, 5\).*\[outputs, 4\]"):
        from_arrays(weights, biases, activations)


@pytest.mark.parametrize(("w", "b", "a"), [(1, 2, 2), (2, 1, 2), (2, 2, 1), (2, 2, 3), (0, 0, 0)])
def test_counts_that_differ_are_refused(w: int, b: int, a: int) -> None:
    weights, biases, activations = arrays([3, 4, 2])
    with pytest.raises(ScratchmlError, match="give one of each for every layer"):
        from_arrays(weights[:w], biases[:b], (["linear", *activations])[-a:] if a else [])


@pytest.mark.parametrize(
    ("activations", "message"),
    [
        (["tanh", "sigmoid"], "of layer 1 cannot be 'tanh': take one of relu, relu6"),
        (["softmax", "linear"], "of layer 1 cannot be 'softmax'"),
        (["relu", "relu"], "of the last layer cannot be 'relu': take one of sigmoid, softmax, "),
        (["relu", "exp"], "of the last layer cannot be 'exp'"),
        (["relu", None], "of the last layer cannot be None"),
        ([["relu"], "linear"], "of layer 1 cannot be"),
    ],
    ids=str,
)
def test_activations_out_of_place_are_refused(activations: Any, message: str) -> None:
    weights, biases, _ = arrays([3, 4, 2])
    with pytest.raises(ScratchmlError, match=message):
        from_arrays(weights, biases, activations)


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01, math.nan, math.inf])
def test_a_threshold_that_is_no_probability_is_refused(threshold: float) -> None:
    with pytest.raises(ScratchmlError, match="not a probability"):
        from_arrays(*arrays([3, 1]), threshold=threshold)


# scikit-learn.

KINDS = ["two classes", "classes", "labels", "value", "values"]


def fitted(kind: str, units: list[int], activation: str, seed: int) -> Any:
    """A model of scikit-learn after a few steps; the first of ``units`` are the inputs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, units[0]))
    model: Any = MLPRegressor if kind.startswith("value") else MLPClassifier
    y: Any = {
        "two classes": np.array(["no", "yes"])[np.arange(40) % 2],
        "classes": np.arange(40) % 5 + 7,
        "labels": rng.integers(0, 2, (40, 3)),
        "value": rng.normal(size=40),
        "values": rng.normal(size=(40, 2)),
    }[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it might go on for longer
        return model(
            hidden_layer_sizes=units[1:],
            activation=activation,
            max_iter=3,
            learning_rate_init=0.1,
            random_state=seed,
        ).fit(x, y)


@settings(deadline=None, max_examples=100)
@given(
    kind=st.sampled_from(KINDS),
    units=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    activation=st.sampled_from(["relu", "identity", "logistic"]),
    seed=seeds,
)
def test_models_of_scikit_learn_predict_the_same(
    kind: str, units: list[int], activation: str, seed: int
) -> None:
    model = fitted(kind, units, activation, seed)
    x = inputs(units[0], seed)
    ours = from_sklearn(model).predict(x)
    theirs = model.predict(x) if kind.startswith("value") else model.predict_proba(x)
    if kind == "two classes":
        theirs = theirs[:, 1:]
    assert_close(ours, theirs.reshape(len(x), -1))


def test_outputs_of_scikit_learn_keep_their_meaning() -> None:
    found = [from_sklearn(fitted(kind, [3, 4], "relu", 0)) for kind in KINDS]
    assert [net.output for net in found] == ["sigmoid", "softmax", "sigmoid", "linear", "linear"]
    assert [net.sizes for net in found] == [(3, 4, n) for n in (1, 5, 3, 1, 2)]


def test_tanh_is_refused_by_name() -> None:
    with pytest.raises(ScratchmlError, match="MLPClassifier: the activation 'tanh'"):
        from_sklearn(fitted("classes", [3, 4], "tanh", 0))


def test_another_output_function_is_refused_by_name() -> None:
    """A regressor of counts, with a Poisson loss, puts out exponentials."""
    model = fitted("value", [3, 4], "relu", 0)
    model.out_activation_ = "exp"
    with pytest.raises(ScratchmlError, match="MLPRegressor: the activation 'exp'"):
        from_sklearn(model)


@pytest.mark.parametrize("model", [MLPClassifier(), MLPRegressor()])
def test_a_model_that_is_not_fitted_is_refused(model: Any) -> None:
    with pytest.raises(ScratchmlError, match="has no weights yet: fit it first"):
        from_sklearn(model)


@pytest.mark.parametrize(
    "model",
    [LogisticRegression(), make_pipeline(MLPClassifier()), MLPClassifier, None, [1.0]],
    ids=["LogisticRegression", "Pipeline", "type", "NoneType", "list"],
)
def test_other_models_are_refused_by_name(model: Any) -> None:
    with pytest.raises(ScratchmlError, match=f"^{type(model).__name__} is not an MLPClassifier or"):
        from_sklearn(model)


# torch.


def activation_layers() -> list[nn.Module | None]:
    return [
        None,
        nn.ReLU(),
        nn.ReLU(inplace=True),
        nn.ReLU6(),
        nn.Hardtanh(),
        nn.Hardtanh(-1.0, 1.0),
        nn.Hardtanh(0, 6),
        nn.Sigmoid(),
    ]


LAST = [None, nn.Sigmoid(), nn.Softmax(dim=1), nn.Softmax(dim=-1)]


def their_predictions(model: nn.Module, x: Floats) -> Floats:
    with torch.inference_mode():
        result: Floats = model.eval()(torch.from_numpy(x.copy())).numpy()
    return result


@st.composite
def sequentials(draw: st.DrawFn) -> tuple[nn.Sequential, int]:
    """A model with layers that do nothing strewn in, some layers nested, and its inputs."""
    units = draw(sizes)
    torch.manual_seed(draw(st.integers(0, 2**31)))
    idle = st.lists(st.sampled_from([nn.Dropout(0.5), nn.Identity(), nn.Flatten()]), max_size=2)
    layers: list[nn.Module] = draw(idle)
    for index, (n_in, n_out) in enumerate(pairwise(units)):
        linear = nn.Linear(n_in, n_out, bias=draw(st.booleans()))
        with torch.no_grad():
            linear.weight.mul_(4)  # so that activations are clipped
        after = LAST if index == len(units) - 2 else activation_layers()
        chosen = draw(st.sampled_from(after))
        group = [linear, *draw(idle), *([chosen] if chosen else []), *draw(idle)]
        layers += [nn.Sequential(*group)] if draw(st.booleans()) else group
    return nn.Sequential(*layers), units[0]


@settings(deadline=None, max_examples=150)
@given(drawn=sequentials(), seed=seeds)
def test_models_of_torch_predict_the_same(drawn: tuple[nn.Sequential, int], seed: int) -> None:
    model, columns = drawn
    before = copy.deepcopy(model.state_dict())
    x = inputs(columns, seed)
    assert_close(from_torch(model).predict(x), their_predictions(model, x))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "linear"])
def test_what_the_last_sums_mean_can_be_said(output: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    ends = {"softmax": [nn.Softmax(1)], "sigmoid": [nn.Sigmoid()], "linear": []}[output]
    net = from_torch(model, output=output)
    x = inputs(5, 0)
    assert net.output == output
    assert_close(net.predict(x), their_predictions(nn.Sequential(*model, *ends), x))
    whole = from_torch(nn.Sequential(*model, *ends), output=output)  # says the same twice
    np.testing.assert_array_equal(whole.predict(x), net.predict(x))


def test_two_linear_layers_in_a_row_have_a_linear_one_between_them() -> None:
    net = from_torch(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4), nn.Linear(4, 2)))
    assert (net.hidden, net.output) == (("linear", "linear"), "linear")


def test_a_layer_that_is_used_twice_counts_twice() -> None:
    torch.manual_seed(0)
    relu, linear = nn.ReLU(), nn.Linear(4, 4)
    model = nn.Sequential(linear, relu, linear, relu, nn.Linear(4, 2))
    net = from_torch(model)
    assert net.hidden == ("relu", "relu")
    assert_close(net.predict(inputs(4, 0)), their_predictions(model, inputs(4, 0)))


def test_names_of_layers_do_not_matter() -> None:
    model = nn.Sequential(
        OrderedDict([("zeta", nn.Linear(3, 4)), ("alpha", nn.Sigmoid()), ("mid", nn.Linear(4, 1))])
    )
    assert_close(from_torch(model).predict(inputs(3, 0)), their_predictions(model, inputs(3, 0)))


def test_images_are_flattened() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2))
    images = inputs(12, 0).reshape(20, 1, 3, 4)
    assert_close(
        from_torch(model).predict(images.reshape(20, 12)), their_predictions(model, images)
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_floats_are_taken(dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)).to(dtype)
    net = from_torch(model)
    found = torch.from_numpy(net.weights[0][:, :-1].copy())
    assert torch.equal(found, model[0].weight.detach().float())


linear = nn.Linear(3, 3)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "the Sequential has no Linear layer"),
        ([nn.Dropout(), nn.Sequential()], "the Sequential has no Linear layer"),
        ([nn.ReLU(), linear], r"layer 0 \(ReLU\) does not follow a Linear layer"),
        ([linear, nn.ReLU(), nn.ReLU6(), linear], r"layer 2 \(ReLU6\) does not follow"),
        ([linear, nn.Sequential(nn.ReLU(), nn.Sigmoid())], r"layer 1\.1 \(Sigmoid\) does not"),
        ([linear, nn.Tanh(), linear], r"layer 1 \(Tanh\) cannot be imported: known are Linear, "),
        ([nn.BatchNorm1d(3), linear], r"layer 0 \(BatchNorm1d\) cannot be imported"),
        ([linear, nn.Sequential(linear, nn.GELU())], r"layer 1\.1 \(GELU\) cannot be imported"),
        ([nn.Conv2d(1, 1, 1), linear], r"layer 0 \(Conv2d\) cannot be imported"),
        ([linear, nn.LogSoftmax(1)], r"layer 1 \(LogSoftmax\) cannot be imported"),
        ([linear, nn.Hardtanh(-2, 2), linear], r"layer 1 \(Hardtanh\) clips to \[-2, 2\]"),
        ([linear, nn.Softmax(0)], r"layer 1 \(Softmax\) goes along dim=0"),
        ([linear, nn.Softmax()], r"layer 1 \(Softmax\) goes along dim=None"),
        ([linear, nn.Softmax(1), linear], "of layer 1 cannot be 'softmax'"),
        ([linear, nn.ReLU()], "of the last layer cannot be 'relu'"),
        ([nn.Flatten(0), linear], r"layer 0 \(Flatten\) flattens across rows"),
        ([linear, nn.ReLU(), nn.Linear(4, 1)], r"layer 2 are of shape \(1, 4\)"),
    ],
    ids=lambda value: "-".join(type(v).__name__ for v in value) if isinstance(value, list) else "",
)
def test_models_of_torch_that_are_not_understood_are_refused_by_place(
    layers: list[nn.Module], message: str
) -> None:
    with pytest.raises(ScratchmlError, match=message) as caught:
        from_torch(nn.Sequential(*layers))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("end", "output", "message"),
    [
        (nn.Sigmoid(), "softmax", "ends in sigmoid: leave out output='softmax'"),
        (nn.Softmax(1), "linear", "ends in softmax: leave out output='linear'"),
        (nn.Identity(), "tanh", "of the last layer cannot be 'tanh'"),
        (nn.Identity(), "relu", "of the last layer cannot be 'relu'"),
    ],
)
def test_an_output_that_is_not_the_models_is_refused(
    end: nn.Module, output: str, message: str
) -> None:
    with pytest.raises(ScratchmlError, match=message):
        from_torch(nn.Sequential(nn.Linear(3, 2), end), output=output)


class Own(nn.Sequential):
    """Anything may happen in its forward pass."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -super().forward(x)


@pytest.mark.parametrize("model", [nn.Linear(3, 2), Own(nn.Linear(3, 2)), [nn.Linear(3, 2)], None])
def test_other_modules_are_refused_by_name(model: Any) -> None:
    with pytest.raises(ScratchmlError, match=f"{type(model).__name__} is not a torch.nn.Seq"):
        from_torch(model)


def test_weights_that_are_not_finite_are_refused() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.no_grad():
        model[2].weight[0, 1] = math.nan
    with pytest.raises(ScratchmlError, match="the weights of layer 2: not finite"):
        from_torch(model)


# What is not needed.


def test_neither_library_is_imported() -> None:
    """Nor by anything else in the package: they are there for the tests."""
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {name.split(".")[0] for name in names} & {"torch", "sklearn"}, path
    assert "torch" in sys.modules  # what was tested above was the real one
