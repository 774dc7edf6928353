"""Make ``tests/golden/foreign``: small ``.tflite`` files as TensorFlow's own converters write them.

A developer's tool. The files are committed, so that the reader can be tested on files that
scratchml did not write; only someone who wants to add a model needs TensorFlow. Each converter
writes its own files (names begin with its version), each in an environment of its own::

    python3.8 -m venv tf23 && tf23/bin/pip install "tensorflow-cpu==2.3.4" "protobuf<3.21"
    python3.10 -m venv tf28
    tf28/bin/pip install "tensorflow-cpu==2.8.4" "numpy<2" "protobuf<3.21"
    python3.11 -m venv tf221 && tf221/bin/pip install "tensorflow-cpu==2.21.0"

    tf23/bin/python tools/make_foreign_models.py       # and likewise with tf28 and tf221

Then, in an environment with scratchml and its oracle (``pip install -e '.[oracle]'``)::

    python tools/make_foreign_models.py --outputs

This runs TensorFlow Lite Micro on every file of the folder, each in a process of its own, and
writes ``NAME.npz`` beside ``NAME.tflite``, and ``README.md``. The arrays, in the file's own dtypes:

- ``inputs``, ``[n, ...]``: a row is the file's input without its first dimension, which is 1;
- ``outputs``, ``[n, ...]``: likewise, as TensorFlow Lite Micro computed them.

The files in ``refused/`` hold what scratchml does not run; they have no ``.npz``.

Weights and rows are drawn from a generator seeded with the case's name, so adding a case leaves the
others as they are. The same machine gives the same bytes; another CPU may add in another order and
so observe ranges whose last bit differs.
"""

# What the converters do with small MLPs:
#   - weights: one scale a tensor before 2.21, one a row in 2.21, and always one where there is a
#     single row or fake quantization; no code is -128; zero points are 0, but for the old uint8
#     scheme;
#   - a bias's scale is the float32 product of input and weight scale; where fake quantization
#     chose them it may be one unit in the last place off;
#   - a bias of zeros: kept by 2.3, dropped (input -1) by 2.8 and 2.21;
#   - operator codes: 2.3 fills in the deprecated field only, 2.8 and 2.21 both;
#   - Flatten: RESHAPE to a constant [-1, n] in 2.3 and 2.8; in 2.21, with a dynamic batch, SHAPE,
#     STRIDED_SLICE and PACK compute the shape, and a Reshape may be left that only hands its shape
#     on. Reshapes that only add or drop ones are folded away where the batch is fixed, except
#     around a matrix product of rank 3 in 2.21 (FULLY_CONNECTED with keep_num_dims);
#   - stand-alone RELU or RELU6: first of all operators, after LOGISTIC, after another activation
#     that is fused, and, in 2.8, where fake quantization stands before it. Otherwise it is fused,
#     through a Reshape too;
#   - LOGISTIC and SOFTMAX between fake quantizations: 1/256 and -128, then a QUANTIZE to the range
#     that was asked for;
#   - float32 or uint8 input and output: the operators QUANTIZE and DEQUANTIZE.
#
# Left out, because TensorFlow Lite Micro refuses it too: Dense on [?, 1, 4], a dynamic batch, which
# needs REDUCE_PROD; and fake quantization in 2.3, which leaves all layers in float32.

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, Iterator  # noqa: UP035 (Python 3.8 has no other Callable[...])

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

DEFAULT_OUTPUT = Path(__file__).resolve().parent.parent / "tests/golden/foreign"
CALIBRATION_ROWS = 40
ROWS, LARGE_ROWS = 200, 24  # of the .npz; if a row has more than LARGE values there are fewer
LARGE = 16
CONVERTERS = (3, 8, 21)  # TensorFlow 2.x; one in between writes what the one before it does
FULL_INT8, FAKE_QUANT, FLOAT, DYNAMIC, INT16, LEGACY = range(6)  # the ways to quantize
INT8, UINT8, FLOAT32 = "int8", "uint8", "float32"
PER_TENSOR = {"_experimental_disable_per_channel": True}

Build = Callable[[np.random.Generator], Any]
tf: Any = None  # TensorFlow, where a model is made


# --- cases -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A model, and the way it is converted.

    Attributes:
        build: makes a Keras model or a module with a function ``forward``.
        shape: of one row, without the batch.
        on: the TensorFlow 2 versions that write it.
        low, high: if given, the calibration rows' range; both occur.
        options: attributes of the converter.
    """

    name: str
    note: str
    build: Build
    shape: tuple[int, ...] = (3,)
    on: tuple[int, ...] = (21,)
    io: tuple[str, str] = (INT8, INT8)
    scheme: int = FULL_INT8
    saved_model: bool = False
    inputs: int = 1
    low: float = -np.inf
    high: float = np.inf
    options: dict[str, Any] = field(default_factory=dict)


def keras(
    layers: Callable[[Any], list[Any]],
    shape: tuple[int, ...] = (3,),
    batch: int | None = None,
    biases: bool = True,
) -> Build:
    """Return a builder of a Keras model; `layers` is given ``tf.keras.layers``.

    The batch size is dynamic unless `batch` is given; without `biases` they stay 0.
    """

    def build(rng: np.random.Generator) -> Any:
        first = tf.keras.Input(shape=shape, batch_size=batch)
        model = tf.keras.Sequential([first, *layers(tf.keras.layers)])
        return with_weights(rng, model, biases)

    return build


def with_weights(rng: np.random.Generator, model: Any, biases: bool = True) -> Any:
    """Draw the weights of a Keras model's layers; running means and variances as well."""
    for layer in model.layers:
        drawn = []
        for weight in layer.get_weights():
            if weight.ndim > 1:
                drawn.append(rng.normal(0, 1.5 / np.sqrt(weight[..., 0].size), weight.shape))
            elif "batch_normalization" in layer.name:
                drawn.append(rng.uniform(0.5, 1.5, weight.shape))
            else:
                drawn.append(rng.normal(0, 0.5, weight.shape) if biases else weight)
        layer.set_weights(drawn)
    return model


def function(forward: Callable[[Any, Any], Any], shape: tuple[int, ...] = (1, 3)) -> Build:
    """Return a builder of a module; `forward` is given the input and the function ``dense``.

    ``dense(x, n)`` is a matrix product and a bias; ``bias=False`` leaves the latter out, and
    `weights` is applied to the weights.
    """

    def build(rng: np.random.Generator) -> Any:
        def dense(
            x: Any, outputs: int, bias: bool = True, weights: Callable[[Any], Any] = lambda w: w
        ) -> Any:
            drawn = rng.normal(0, 2 / np.sqrt(x.shape[-1]), (x.shape[-1], outputs))
            x = tf.matmul(x, weights(tf.constant(drawn, tf.float32)))
            offsets = tf.constant(rng.normal(0, 0.5, outputs), tf.float32)
            return tf.nn.bias_add(x, offsets) if bias else x

        module = tf.Module()
        module.forward = tf.function(
            lambda x: forward(x, dense), input_signature=[tf.TensorSpec(shape, tf.float32)]
        )
        return module

    return build


def fake(x: Any, low: float, high: float, narrow: bool = False) -> Any:
    """Return `x` as quantization-aware training rounds it."""
    return tf.quantization.fake_quant_with_min_max_args(x, low, high, 8, narrow_range=narrow)


def interface_cases() -> Iterator[Case]:
    """Yield the same small network behind every kind of input and output, by every route."""

    def sigmoid(k: Any) -> list[Any]:
        return [k.Dense(6, "relu"), k.Dense(1, "sigmoid")]

    def logits(k: Any) -> list[Any]:
        return [k.Dense(6, "relu"), k.Dense(2)]

    codes = {"low": -2.0, "high": 127 / 64}  # a scale of 1/64: ties are exact
    floats, bytes_ = (FLOAT32, FLOAT32), (UINT8, UINT8)
    yield Case("sigmoid", "dynamic batch", keras(sigmoid), on=(3, 8, 21))
    note = "float32 input and output; input scale 1/64, zero point 0"
    network, shape = keras(sigmoid, (2,)), (2,)
    yield Case("float_io", note, network, shape, io=floats, on=(3, 8, 21), **codes)
    note = "float32 input and output, scales as they come"
    layers = keras(lambda k: [k.Dense(6, "relu"), k.Dense(3, "softmax")], (2,))
    yield Case("float_io_softmax", note, layers, shape, io=floats)
    yield Case("uint8_io", "uint8 input and output", keras(sigmoid), io=bytes_, on=(3, 8, 21))
    network = keras(logits, (2,))
    yield Case("float_to_int8", "float32 input, int8 output", network, shape, io=(FLOAT32, INT8))
    yield Case("int8_to_float", "int8 input, float32 output", keras(logits), io=(INT8, FLOAT32))
    note = "from_saved_model"
    yield Case("saved_model", note, keras(sigmoid), saved_model=True)
    note = "one scale a weight tensor, by _experimental_disable_per_channel"
    yield Case("per_tensor", note, keras(logits), options=PER_TENSOR)
    note = "old quantizer: experimental_new_quantizer = False"
    options = {"experimental_new_quantizer": False}
    yield Case("old_quantizer", note, keras(sigmoid), options=options, on=(8,))
    note = "old converter (TOCO): experimental_new_converter = False"
    options = {"experimental_new_converter": False}
    fixed = keras(sigmoid, batch=1)
    yield Case("toco", note, fixed, options=options, on=(3,))
    layers = keras(lambda k: [k.Flatten(), k.Dense(6, "relu"), k.Dense(3, "softmax")], batch=1)
    yield Case("toco_softmax", note, layers, options=options, on=(8,))


def activation_cases() -> Iterator[Case]:
    """Yield every activation, fused into a layer or an operator of its own."""
    layers = keras(lambda k: [k.Dense(12), k.ReLU(max_value=6.0), k.Dense(2)])
    yield Case("relu6", "fused RELU6", layers, on=(3, 21))

    def clipped(x: Any, dense: Any) -> Any:
        return dense(tf.minimum(tf.maximum(dense(x, 12), -1.0), 1.0), 2)

    yield Case("relu_n1_to_1", "fused RELU_N1_TO_1", function(clipped), on=(8, 21))
    note = "fused RELU, then a stand-alone RELU6 that narrows the range"
    layers = function(lambda x, dense: dense(tf.nn.relu6(tf.nn.relu(3 * dense(x, 12))), 2))
    yield Case("relu_relu6", note, layers)
    note = "LOGISTIC, then a stand-alone RELU of another scale"
    layers = function(lambda x, dense: dense(tf.nn.relu(tf.sigmoid(dense(x, 12))), 2))
    yield Case("sigmoid_relu", note, layers, on=(8,))
    layers = keras(lambda k: [k.Dense(8, "sigmoid"), k.Dense(7, "sigmoid"), k.Dense(2)])
    yield Case("hidden_sigmoid", "LOGISTIC between layers", layers)
    layers = keras(lambda k: [k.Dense(8, "relu"), k.Dense(3, "sigmoid")])
    yield Case("several_sigmoids", "three labels", layers)


def head_cases() -> Iterator[Case]:
    """Yield classifiers, regressions, and layers without biases."""
    layers = keras(lambda k: [k.Dense(6, "relu"), k.Dense(2, "softmax")])
    yield Case("softmax_2", "two classes", layers)
    layers = keras(lambda k: [k.Dense(8, "relu"), k.Dense(10, "softmax")])
    yield Case("softmax_10", "ten classes", layers)
    layers = keras(lambda k: [k.Dense(6, "relu"), k.Dense(100, "softmax")], batch=1)
    yield Case("softmax_100", "a hundred classes", layers)
    layers = keras(lambda k: [k.Dense(6, "relu"), k.Dense(1)])
    yield Case("linear_1", "regression, one output", layers)
    layers = keras(lambda k: [k.Dense(6, "relu"), k.Dense(3)], batch=1)
    yield Case("linear_3", "regression, three outputs", layers)
    layers = keras(lambda k: [k.Dense(6, "relu"), k.Dense(2)], biases=False)
    yield Case("zero_bias", "biases that are all 0", layers, on=(3, 21))
    layers = keras(lambda k: [k.Dense(6, "relu", use_bias=False), k.Dense(2, use_bias=False)])
    yield Case("no_bias", "use_bias=False", layers)
    layers = keras(
        lambda k: [k.Dense(6), k.BatchNormalization(), k.ReLU(), k.Dropout(0.2), k.Dense(2)]
    )
    yield Case("batch_norm", "batch normalization, folded; dropout, gone", layers)
    layers = keras(lambda k: [k.Dense(8, None if i % 3 else "relu") for i in range(16)], (8,), 1)
    note = "16 layers of 8, two in three without activation; one scale a tensor"
    yield Case("deep", note, layers, (8,), options=PER_TENSOR)
    layers = keras(lambda k: [k.Dense(300, "relu"), k.Dense(1)], (1,), 1)
    yield Case("wide", "1 -> 300 -> 1; one scale a tensor", layers, (1,), options=PER_TENSOR)


def reshape_cases() -> Iterator[Case]:
    """Yield models that flatten an image, or add and drop dimensions of 1."""

    def image(k: Any) -> list[Any]:
        return [k.Flatten(), k.Dense(4, "relu"), k.Dense(2, "softmax")]

    shape = (8, 8, 1)
    note = "8x8 image, Flatten, fixed batch"
    yield Case("image_batch1", note, keras(image, shape, 1), shape, on=(3, 21))
    note = "8x8 image, Flatten, dynamic batch: the shape is computed"
    yield Case("image", note, keras(image, shape), shape, on=(8, 21))

    def middle(x: Any, dense: Any) -> Any:
        x = tf.reshape(tf.nn.relu(dense(x, 7)), [1, 1, 7])
        return dense(tf.reshape(tf.sigmoid(dense(x, 5)), [1, 5]), 2)

    note = "a Reshape to (1, 7) between layers, keep_num_dims, and back without a Reshape"
    yield Case("reshape_middle", note, function(middle))

    def computed(k: Any) -> list[Any]:
        middle = [k.Reshape((1, 1, 6)), k.Activation("sigmoid"), k.Flatten()]
        return [k.Dense(6, "relu"), *middle, k.Dense(2)]

    note = "a Reshape that only hands its shape on, to the Flatten after it"
    yield Case("reshape_computed", note, keras(computed))
    note = "SOFTMAX on (1, 4)"
    layers = function(lambda x, dense: tf.nn.softmax(tf.reshape(dense(x, 4), [1, 1, 4])))
    yield Case("reshape_softmax", note, layers)
    note = "Dense on (1, 4): keep_num_dims"
    layers = keras(lambda k: [k.Dense(6, "relu"), k.Dense(2)], (1, 4), 1)
    yield Case("keep_num_dims", note, layers, (1, 4))


def fake_quant_cases() -> Iterator[Case]:
    """Yield what quantization-aware training leaves: ranges chosen by it, layer by layer."""

    def separate(activation: str, high: float) -> Build:
        def forward(x: Any, dense: Any) -> Any:
            x = dense(fake(x, -3, 3), 12, weights=lambda w: fake(w, -3, 3, narrow=True))
            x = fake(getattr(tf.nn, activation)(fake(x, -5, 8)), 0, high)
            return fake(dense(x, 2, weights=lambda w: fake(w, -3, 3, narrow=True)), -9, 9)

        return function(forward, (1, 2))

    note = "fake quantization before and after the ReLU; the ReLU stands alone"
    qat = {"scheme": FAKE_QUANT}
    # 13 / 6: odd multiples of 3 are ties, where float32 and float64 quotients round differently
    yield Case("fake_quant_relu", note, separate("relu", 6), (2,), on=(8,), **qat)
    yield Case("fake_quant_relu6", note, separate("relu6", 6), (2,), on=(8,), **qat)

    def wide(x: Any, dense: Any) -> Any:
        x = dense(fake(x, -3, 3), 12, weights=lambda w: fake(w, -1, 1))
        x = fake(tf.nn.relu(x), 0, 5)
        return fake(dense(x, 3, weights=lambda w: fake(w, -1, 1)), -9, 9)

    note = "weights in fake quantization without narrow_range; biases' scales are one ulp off"
    yield Case("fake_quant_wide", note, function(wide), on=(8,), **qat)

    note = "head, then QUANTIZE from int8 of scale 1/256 to int8 of scale 1/255"
    yield Case("fake_quant_sigmoid", note, rescaled("sigmoid"), (2,), **qat)


def rescaled(head: str) -> Build:
    """A layer and a head whose probabilities get a scale of their own."""

    def forward(x: Any, dense: Any) -> Any:
        x = dense(fake(x, -3, 3), 3, weights=lambda w: fake(w, -3, 3, narrow=True))
        return fake(getattr(tf.nn, head)(fake(x, -9, 9)), 0, 1)

    return function(forward, (1, 2))


def refused_cases() -> Iterator[Case]:
    """Yield what scratchml has to refuse, each with one clear line."""
    floats, qat = (FLOAT32, FLOAT32), {"scheme": FAKE_QUANT}
    layers = function(lambda x, dense: dense(tf.nn.relu(x), 3))
    yield Case("relu_first", "stand-alone RELU before all layers", layers, on=(3, 21))
    note = "stand-alone RELU6 before all layers, which clips"
    layers = function(lambda x, dense: dense(tf.nn.relu6(x), 3))
    yield Case("relu6_first", note, layers, low=-9.0, high=12.0)
    note = "SOFTMAX, then QUANTIZE from int8 of scale 1/256 to int8 of scale 1/255"
    yield Case("fake_quant_softmax", note, rescaled("softmax"), (2,), io=floats, on=(8, 21), **qat)

    def convolution(k: Any) -> list[Any]:
        return [k.Conv2D(2, 3, activation="relu"), k.Flatten(), k.Dense(2)]

    def sigmoid(k: Any) -> list[Any]:
        return [k.Dense(6, "relu"), k.Dense(1, "sigmoid")]

    shape = (4, 4, 1)
    yield Case("conv_2d", "CONV_2D", keras(convolution, shape, 1), shape)
    layers = keras(lambda k: [k.Dense(6, "tanh"), k.Dense(1)])
    yield Case("tanh", "TANH", layers)
    network = keras(sigmoid)
    yield Case("float32", "not quantized", network, scheme=FLOAT, io=floats)
    # weights of fewer than 1,024 values are not quantized by this scheme
    layers = keras(lambda k: [k.Dense(16, "relu"), k.Dense(64), k.Dense(1)])
    yield Case("dynamic_range", "int8 weights, float32 layers", layers, scheme=DYNAMIC, io=floats)
    yield Case("int16x8", "int16 activations", network, scheme=INT16, io=floats)
    yield Case("batch_4", "a fixed batch of 4", keras(sigmoid, batch=4))

    def joined(join: str) -> Build:
        def build(rng: np.random.Generator) -> Any:
            k = tf.keras.layers
            a, b = (tf.keras.Input(shape=(3,), batch_size=1) for _ in range(2))
            x = k.Dense(6, "relu")(getattr(k, join)()([a, b]))
            return with_weights(rng, tf.keras.Model([a, b], k.Dense(1)(x)))

        return build

    yield Case("two_inputs", "two inputs", joined("Concatenate"), inputs=2)

    def residual(x: Any, dense: Any) -> Any:
        x = tf.nn.relu(dense(x, 6))
        return dense(x + tf.nn.relu(dense(x, 6)), 2)

    yield Case("residual_add", "ADD: a residual connection", function(residual))

    def two_outputs(rng: np.random.Generator) -> Any:
        k, x = tf.keras.layers, tf.keras.Input(shape=(3,), batch_size=1)
        h = k.Dense(6, "relu")(x)
        return with_weights(rng, tf.keras.Model(x, [k.Dense(1)(h), k.Dense(3, "softmax")(h)]))

    yield Case("two_outputs", "two outputs", two_outputs)

    note = "Dense on (2, 3): one matrix product of two rows"
    layers = keras(lambda k: [k.Dense(4, "relu"), k.Flatten(), k.Dense(2)], (2, 3), 1)
    yield Case("two_rows", note, layers, (2, 3))

    def rows(x: Any, dense: Any) -> Any:
        return tf.reshape(tf.nn.softmax(tf.reshape(dense(x, 12), [1, 3, 4])), [1, 12])

    note = "a SOFTMAX of each of three rows"
    yield Case("softmax_of_rows", note, function(rows))
    note = "uint8 throughout, weights with a zero point (TensorFlow 1 style, by TOCO)"
    yield Case("legacy_uint8", note, legacy, scheme=LEGACY, on=(3,))


def legacy(rng: np.random.Generator) -> Any:
    """Return the function of a graph of TensorFlow 1, in fake quantization."""
    first, last = rng.normal(size=(3, 6)), rng.normal(size=(6, 2))

    def forward(x: Any) -> Any:
        x = tf.matmul(x, fake(tf.constant(first, tf.float32), -3, 3)) + 0.25
        x = tf.matmul(fake(tf.nn.relu(x), 0, 6), fake(tf.constant(last, tf.float32), -3, 3)) - 0.5
        return fake(x, -9, 9)

    return forward


def all_cases() -> dict[str, Case]:
    """Return every case by the path of its file, without version and suffix."""
    accepted = [
        *interface_cases(),
        *activation_cases(),
        *head_cases(),
        *reshape_cases(),
        *fake_quant_cases(),
    ]
    refused = list(refused_cases())
    cases = {case.name: case for case in accepted}
    cases.update({f"refused/{case.name}": case for case in refused})
    if len(cases) != len(accepted) + len(refused):
        raise ValueError("two cases have the same name")
    return cases


# --- conversion --------------------------------------------------------------------------------


def generator(name: str) -> np.random.Generator:
    """Return the random generator of the case called `name`."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def calibration(case: Case) -> Iterator[list[np.ndarray]]:
    """Yield the calibration rows, one at a time; images have values from 0 to 1."""
    rng = generator(case.name + " rows")
    for number in range(CALIBRATION_ROWS):
        size = (case.inputs, 1, *case.shape)
        rows = rng.normal(0, 1, size) if len(case.shape) < 3 else rng.uniform(0, 1, size)
        if np.isfinite(case.high):
            rows *= (case.high - case.low) / 4
            if number < 2:
                rows[..., 0] = (case.low, case.high)[number]
        yield list(np.clip(rows, case.low, case.high).astype(np.float32))


def converter_of(case: Case, folder: str) -> Any:
    """Return TensorFlow's converter for the model of `case`; `folder` is for temporary files."""
    model, lite = case.build(generator(case.name)), tf.lite.TFLiteConverter
    if not hasattr(model, "forward"):
        if not case.saved_model:
            return lite.from_keras_model(model)
        (model.export if hasattr(model, "export") else model.save)(folder)
        return lite.from_saved_model(folder)
    concrete = model.forward.get_concrete_function()
    if minor_version() < 7:
        return lite.from_concrete_functions([concrete])
    return lite.from_concrete_functions([concrete], model)


def convert_legacy(case: Case) -> bytes:
    """Convert a graph of TensorFlow 1 to uint8, with the old converter."""
    v1 = tf.compat.v1
    graph = v1.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, [1, *case.shape], name="x")
        y = case.build(generator(case.name))(x)
        converter = v1.lite.TFLiteConverter.from_session(session, [x], [y])
        converter.inference_type = tf.uint8
        converter.quantized_input_stats = {"x": (128.0, 40.0)}  # mean, standard deviation
        converter.experimental_new_converter = False
        return bytes(converter.convert())


def convert(case: Case) -> bytes:
    """Return the ``.tflite`` file of `case`."""
    tf.keras.backend.clear_session()  # or names would count on from case to case
    if case.scheme == LEGACY:
        return convert_legacy(case)
    with tempfile.TemporaryDirectory() as folder:
        converter = converter_of(case, folder)
        for name, value in case.options.items():
            if not hasattr(converter, name):
                raise ValueError(f"{case.name}: this converter has no {name}")
            setattr(converter, name, value)
        if case.scheme != FLOAT:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if case.scheme in (FULL_INT8, INT16):
            sets = tf.lite.OpsSet
            int16 = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
            converter.representative_dataset = lambda: calibration(case)
            converter.target_spec.supported_ops = [
                sets.TFLITE_BUILTINS_INT8 if case.scheme == FULL_INT8 else getattr(sets, int16)
            ]
        converter.inference_input_type = getattr(tf, case.io[0])
        converter.inference_output_type = getattr(tf, case.io[1])
        return bytes(converter.convert())


def minor_version() -> int:
    """Return the second number of TensorFlow's version."""
    return int(tf.__version__.split(".")[1])


def make_models(folder: Path, only: str) -> None:
    """Write the files of the TensorFlow that is installed here."""
    global tf
    tf = import_module("tensorflow")
    tools = str(Path(sys.executable).parent)  # TOCO is a program there
    os.environ["PATH"] = tools + os.pathsep + os.environ.get("PATH", "")
    version = max(known for known in CONVERTERS if known <= minor_version())
    for key, case in all_cases().items():
        if only not in key or version not in case.on:
            continue
        path = folder / key
        path = path.with_name(f"tf2{minor_version()}_{path.name}.tflite")
        path.parent.mkdir(parents=True, exist_ok=True)
        content = convert(case)
        path.write_bytes(content)
        print(f"{path.name}: {len(content)} bytes")


# --- outputs -----------------------------------------------------------------------------------


def parse(path: Path) -> Any:
    """Return the model in a ``.tflite`` file, as objects of TensorFlow's own schema."""
    content = bytearray(path.read_bytes())
    return schema().ModelT.InitFromObj(schema().Model.GetRootAsModel(content, 0))


def schema() -> Any:
    """Return the schema's module that comes with TensorFlow Lite Micro."""
    return import_module("tflite_micro.tensorflow.lite.micro.python.schema_py_generated")


def rows_of_codes(rng: np.random.Generator, count: int, size: int, dtype: str) -> np.ndarray:
    """Return rows of integers, the extremes among them; of a single value, every code."""
    limits = np.iinfo(dtype)
    if size == 1:
        return np.arange(limits.min, limits.max + 1).astype(dtype)[:, np.newaxis]
    rows = rng.integers(limits.min, limits.max + 1, (count, size))
    rows[0], rows[1] = limits.min, limits.max
    rows[2], rows[2, ::2] = limits.min, limits.max
    return rows.astype(dtype)


def rows_of_floats(
    rng: np.random.Generator, count: int, size: int, scale: float, zero_point: int
) -> np.ndarray:
    """Return float32 rows: multiples of `scale`, halves between them and their neighbours.

    As well as any values within the range of int8 and half as far again beyond it, and, in the
    first rows, far beyond it.
    """
    codes = rng.integers(-140, 140, (count, size)) - zero_point
    ties = ((codes + 0.5) * scale).astype(np.float32)
    sign = rng.choice(np.array([-np.inf, np.inf], np.float32), (count, size))
    kinds = [
        (codes * scale).astype(np.float32),
        ties,
        np.nextafter(ties, sign),
        (rng.uniform(-256, 256, (count, size)) * scale).astype(np.float32),
    ]
    rows = np.choose(rng.integers(0, len(kinds), (count, size)), kinds)
    beyond = np.float32(1e6 * scale)  # in codes, well within int32
    rows[0], rows[1], rows[2], rows[3] = beyond, -beyond, 0.0, -0.0
    rows[4], rows[5] = np.float32(1e-40), np.float32(-1e-40)
    rows[6], rows[6, ::2] = beyond, -beyond
    return rows


def input_rows(path: Path) -> np.ndarray:
    """Return rows for the model in `path`, in its own dtype and shape."""
    graph = parse(path).subgraphs[0]
    (first,), (last,) = graph.inputs, graph.outputs
    one, *shape = graph.tensors[first].shape
    if one != 1:
        raise ValueError(f"{path.name}: a batch of {one}")
    size = int(np.prod(shape))
    count = ROWS if max(size, np.prod(graph.tensors[last].shape)) <= LARGE else LARGE_ROWS
    rng, kind = generator(path.stem), tensor_type(graph, first)
    if kind == FLOAT32:
        (codes,) = (op.outputs[0] for op in graph.operators if op.inputs[0] == first)
        quantization = graph.tensors[codes].quantization
        scale, zero_point = float(quantization.scale[0]), int(quantization.zeroPoint[0])
        rows = rows_of_floats(rng, count, size, scale, zero_point)
    else:
        rows = rows_of_codes(rng, count, size, kind)
    return rows.reshape(-1, *shape)


def run(model: str, inputs: str, outputs: str) -> None:
    """Run TensorFlow Lite Micro on rows from a ``.npy`` file, and write its outputs to another."""
    runtime = import_module("tflite_micro").runtime
    interpreter = runtime.Interpreter.from_file(model, arena_size=1 << 20)
    results = []
    for row in np.load(inputs):
        interpreter.set_input(row[np.newaxis], 0)
        interpreter.invoke()
        results.append(np.array(interpreter.get_output(0))[0])
    np.save(outputs, np.stack(results))


def make_outputs(folder: Path) -> int:
    """Write the ``.npz`` of every file and the list of them; return how many were refused."""
    refused = 0
    for path in sorted(folder.glob("*.tflite")):
        rows = input_rows(path)
        with tempfile.TemporaryDirectory() as name:
            inputs, outputs = Path(name) / "inputs.npy", Path(name) / "outputs.npy"
            np.save(inputs, rows)
            command = [sys.executable, __file__, "--run", str(path), str(inputs), str(outputs)]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode:
                refused += 1
                print(f"{path.name}: refused ({result.returncode})\n{result.stderr}")
                continue
            arrays = {"inputs": rows, "outputs": np.load(outputs)}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        path.with_suffix(".npz").write_bytes(buffer.getvalue())
        flat = arrays["outputs"].reshape(len(rows), -1)
        print(f"{path.name}: {len(rows)} rows, {len(np.unique(flat, axis=0))} distinct outputs")
    (folder / "README.md").write_text(listing(folder), encoding="utf-8")
    return refused


# --- the list ----------------------------------------------------------------------------------

HEADER = """\
# Models from TensorFlow's converters

Written by `tools/make_foreign_models.py`, which says how; this page is generated too. A file's name
begins with the converter's version:

| prefix | TensorFlow | Python |
|---|---|---|
| `tf23_` | 2.3.4 | 3.8 |
| `tf28_` | 2.8.4 | 3.10 |
| `tf221_` | 2.21.0 | 3.11 |

Everything is full-integer post-training quantization (`TFLITE_BUILTINS_INT8`) with int8 input and
output, unless the last column says otherwise. Models with an operator that stands alone, with
RELU_N1_TO_1 or with fake quantization are `tf.function`s, converted by `from_concrete_functions`;
the others are Keras models, converted by `from_keras_model`. Fake quantization stands for
quantization-aware training and is converted without calibration rows.

Beside each `NAME.tflite` lies `NAME.npz`: `inputs` and `outputs`, `[n, ...]`, in the file's own
dtypes and shapes (without the first dimension, which is 1), as TensorFlow Lite Micro computed
them (the wheel `tflite-micro` VERSION). Float32 rows hold multiples
of the input's scale, ties between them, the ties' neighbours, denormals, both zeros, and values far
beyond the range.

A `?` in a shape is a dynamic batch: 1 in the tensor's shape and -1 in its shape signature.

TensorFlow Lite Micro's stand-alone RELU6 clamps the input's codes and ignores the output's scale
and zero point; LiteRT rescales, so its outputs of `relu_relu6` and `fake_quant_relu6`
have nothing in common with these.
"""


def names_of(enumeration: Any) -> dict[int, str]:
    """Return the names of a flatbuffers enumeration's values."""
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def tensor_type(graph: Any, index: int) -> str:
    """Return the numpy name of a tensor's type."""
    return names_of(schema().TensorType)[graph.tensors[index].type].lower()


def operators(model: Any) -> str:
    """Return the operators' names in order; repetitions are counted."""
    names, activations = names_of(schema().BuiltinOperator), schema().ActivationFunctionType
    chain: list[list[Any]] = []
    for op in model.subgraphs[0].operators:
        code = model.operatorCodes[op.opcodeIndex]
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        fused = getattr(op.builtinOptions, "fusedActivationFunction", 0)
        if fused:
            name += f" ({names_of(activations)[fused]})"
        if chain and chain[-1][0] == name:
            chain[-1][1] += 1
        else:
            chain.append([name, 1])
    return ", ".join(name if count == 1 else f"{count} x {name}" for name, count in chain)


def interface(graph: Any, indices: Any) -> str:
    """Return types and shapes of the inputs or outputs."""
    parts = []
    for index in indices:
        tensor = graph.tensors[index]
        shape = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
        sizes = ", ".join("?" if n < 0 else str(n) for n in shape)
        parts.append(f"{tensor_type(graph, index)} [{sizes}]")
    return " and ".join(parts)


def listing(folder: Path) -> str:
    """Return the page that lists the files."""
    version = import_module("importlib.metadata").version("tflite-micro")
    text, cases = HEADER.replace("VERSION", version), all_cases()
    for title, place in (("Files", folder), ("Refused: `refused/`", folder / "refused")):
        text += f"\n## {title}\n\n"
        text += "| file | input | output | operators | made from |\n|---|---|---|---|---|\n"
        for path in sorted(place.glob("*.tflite")):
            key = path.stem.split("_", 1)[1]
            case = cases[key if place == folder else f"refused/{key}"]
            model = parse(path)
            graph = model.subgraphs[0]
            text += f"| `{path.stem}` | {interface(graph, graph.inputs)} "
            text += f"| {interface(graph, graph.outputs)} | {operators(model)} | {case.note} |\n"
    return text


def main() -> int:
    """Make the files, or run them."""
    parser = argparse.ArgumentParser(description="Make .tflite files by TensorFlow's converters.")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="the folder to write")
    parser.add_argument("--only", default="", help="make files with this in their name")
    parser.add_argument("--outputs", action="store_true", help="run TensorFlow Lite Micro instead")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run(*arguments.run)
    elif arguments.outputs:
        return 1 if make_outputs(arguments.output) else 0
    else:
        make_models(arguments.output, arguments.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
