"""The exported C: the same bytes every time, clean under every compiler, right when it runs."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, random_model, require
from test_parity import extreme_weights

import scratchml as sml
from scratchml.affine import PROBABILITY, Quantization
from scratchml.c_surroundings import target_array
from scratchml.digest import digest
from scratchml.export import SIZEOF, flash_bytes, golden_inputs
from scratchml.front_end import Channel, FrontEnd
from scratchml.layers import Elementwise, QuantizedDense, Softmax
from scratchml.layouts import CORTEX_M0PLUS, CORTEX_M4, LAYOUTS, PORTABLE, Layout
from scratchml.resources import engine_assembly, engine_folder, engine_sources
from scratchml.rows import Scaler
from scratchml.target import Target

SELF_TEST = ROOT / "tests" / "c" / "self_test.c"
DIGEST = ROOT / "tests" / "c" / "digest.c"
WARNINGS = (
    "-std=c11 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Wcast-qual -Wstrict-prototypes "
    "-Wmissing-prototypes -Wundef -Wdouble-promotion -Werror"
).split()
#: What the Arduino cores for the two boards pass, and the layout that the CPU gets by itself.
CPUS = {
    "cortex-m4": ("-mcpu=cortex-m4 -mthumb".split(), CORTEX_M4),
    "cortex-m0plus": ("-mcpu=cortex-m0plus -mthumb".split(), CORTEX_M0PLUS),
}
ARDUINO = "-Os -funsigned-char -ffunction-sections -fdata-sections".split()

each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
each_cpu = pytest.mark.parametrize("cpu", CPUS)


@pytest.fixture(scope="module")
def models(model: sml.QuantizedMLP) -> dict[str, sml.QuantizedMLP]:
    """The snow model with its features and sigmoid, one with neither, a deep and a wide one.

    Packed kernels take all layers but the first one of ``mixed_model``, whose weights are extreme.
    """
    plain = random_model([5, 7, 3], 1)
    return {
        "snow_model": model,
        "logits_model": sml.QuantizedMLP((plain.layers[0], replace(plain.layers[1], following=()))),
        "deep_model": random_model([4, 9, 1, 8, 2, 16, 3], 2),
        "wide_model": random_model([64, 32, 10], 3),
        "classes_model": random_model([8, 16, 10], 4, activations="relu6", output="softmax"),
        "many_classes_model": random_model([3, 511], 5, output="softmax"),
        "tables_model": with_tables(random_model([6, 9, 7, 3], 6, activations="sigmoid")),
        "mixed_model": extreme_weights(),
        "stream_model": of_a_stream(random_model([6, 5, 3], 7, output="softmax")),
        "number_model": of_a_number(random_model([4, 8, 1], 8, output="linear")),
    }


NAMES = (
    "snow_model",
    "logits_model",
    "deep_model",
    "wide_model",
    "classes_model",
    "many_classes_model",
    "tables_model",
    "mixed_model",
)
#: What stands around these is constant data too: a front end, the numbers of a target.
AROUND = ("stream_model", "number_model")


def with_tables(model: sml.QuantizedMLP) -> sml.QuantizedMLP:
    """The model, with operators of their own behind every layer: each needs a table."""
    layers: list[QuantizedDense] = []
    for layer in model.layers:
        source = layer.target
        target = Quantization(float(np.float32(source.scale * 1.5)), source.zero_point // 2)
        rescale = [Elementwise("quantize", source, target), Elementwise("relu6", target, target)]
        logistic = Elementwise("logistic", target, PROBABILITY)
        before = layers[-1].output if layers else layer.source
        layers.append(replace(layer, source=before, following=(*rescale, logistic)))
    result = sml.QuantizedMLP(tuple(layers))
    assert all(layer.table is not None for layer in result.layers)
    return result


def of_a_stream(model: sml.QuantizedMLP) -> sml.QuantizedMLP:
    """The model, behind the statistics of windows of three axes."""
    axes = tuple(Channel(name, "g", 1000) for name in ("ax", "ay", "az"))
    front_end = FrontEnd(axes, 50, 25, ("mean", "std"))
    names, units, resolution = zip(
        *((c.name, c.unit, c.resolution) for c in front_end.feature_channels), strict=True
    )
    scaler = Scaler(names, units, resolution, (0.5,) * 6, (0.25,) * 6)
    return replace(model, scaler=scaler, front_end=front_end)


def of_a_number(model: sml.QuantizedMLP) -> sml.QuantizedMLP:
    """The model, of a pressure told by four sensors, one sample at a time."""
    names = ("p0", "p1", "p2", "temperature */")
    scaler = Scaler(names, ("mV",) * 3 + ("C",), (1, 10, 1, 100), (512.0,) * 4, (99.5,) * 4)
    return replace(model, scaler=scaler, target=Target("pressure", "hPa", 10, 1013.2, 12.5))


def compile_c(compiler: str, *arguments: str | Path) -> None:
    command = [require(compiler), *map(str, arguments), "-I", str(engine_folder())]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


def test_the_same_model_gives_the_same_bytes(model: sml.QuantizedMLP, tmp_path: Path) -> None:
    for folder in ("a", "b/deeper"):
        sml.export_c(model, tmp_path / folder, name="snow")
    model.save(tmp_path / "model.tflite")
    sml.export_c(sml.QuantizedMLP.load(tmp_path / "model.tflite"), tmp_path / "c", name="snow")
    for file in ("snow.c", "snow.h"):
        first = (tmp_path / "a" / file).read_bytes()
        assert (tmp_path / "b/deeper" / file).read_bytes() == first
        assert (tmp_path / "c" / file).read_bytes() == first
        assert str(tmp_path).encode() not in first


def section(text: str, layout: Layout) -> str:
    """What the preprocessor leaves of the layers for one layout."""
    begin = r"#else" if layout == PORTABLE else rf"#(?:el)?if SML_LAYOUT == {layout.macro}"
    found = re.findall(rf"^{begin}\n(.*?)^#(?:elif|else|endif)\b", text, re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def numbers(text: str, name: str) -> list[int]:
    """What an array is initialized with."""
    (found,) = re.findall(rf"\b{name}\[\d+\] = {{(.*?)}};", text, re.DOTALL)
    return [int(word, 0) for word in re.findall(r"0x[0-9a-f]{8}|-?\d+", found)]


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_stands_in_the_file(
    models: dict[str, sml.QuantizedMLP], name: str, tmp_path: Path
) -> None:
    model = models[name]
    source, _ = sml.export_c(model, tmp_path, name="snow")
    text = section(source.read_text("utf-8"), PORTABLE)
    for number, layer in enumerate(model.layers, start=1):
        constants = [layer.folded_bias, layer.multiplier, layer.shift.astype(np.int32)]
        arrays = {"weights": layer.weights, "channels": np.stack(constants, axis=1)}
        if layer.table is not None:
            arrays["table"] = layer.table
        assert (f"layer{number}_table" in text) == ("table" in arrays)
        for kind, values in arrays.items():
            assert numbers(text, f"layer{number}_{kind}") == values.ravel().tolist()


@pytest.mark.parametrize("layout", LAYOUTS[1:], ids=[layout.name for layout in LAYOUTS[1:]])
@pytest.mark.parametrize("name", NAMES)
def test_every_packed_word_stands_in_the_file(
    models: dict[str, sml.QuantizedMLP], name: str, layout: Layout, tmp_path: Path
) -> None:
    """What the words mean is test_layouts.py's business."""
    source, _ = sml.export_c(models[name], tmp_path, name="snow")
    text = section(source.read_text("utf-8"), layout)
    laid_out = [layout.lay_out(layer) for layer in models[name].layers]
    is_packed = [data.channels is None for data in laid_out]
    assert is_packed == [name != "mixed_model"] + [True] * (len(laid_out) - 1)
    assert re.findall(r"\.run = (\w+),", text) == [data.kernel for data in laid_out]
    assert text.count(".channels = NULL,") == sum(is_packed)
    for number, data in enumerate(laid_out, start=1):
        kind = "uint32_t" if data.channels is None else "int8_t"
        assert f"SML_WEIGHTS static const {kind} layer{number}_weights" in text
        assert numbers(text, f"layer{number}_weights") == data.weights.ravel().tolist()
        if data.channels is not None:
            assert numbers(text, f"layer{number}_channels") == data.channels.ravel().tolist()
        if data.table is not None:
            assert numbers(text, f"layer{number}_table") == data.table.tolist()


def test_golden_outputs_are_not_all_alike(model: sml.QuantizedMLP) -> None:
    outputs = model.run(golden_inputs(model))
    assert len(np.unique(outputs)) > 10


class Sanitizers:
    """Programs compiled with ASan and UBSan in GCC, with UBSan alone in Clang, whose ASan is a
    package of its own; the engine is compiled once for each kind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engines: dict[tuple[str, ...], list[Path]] = {}

    def run(self, program: Path, source: Path, compiler: str, *flags: str) -> list[str]:
        """The lines that one of ``tests/c`` prints with an exported model."""
        kind = compiler, *flags
        if kind not in self.engines:
            self.engines[kind] = self.compile_engine(compiler, *flags)
        name, target = source.stem, source.with_name(program.stem)
        model = ["-DSML_SELF_TEST", f"-DMODEL={name}", f"-DMODEL_UPPER={name.upper()}"]
        compile_c(
            compiler, *self.flags(compiler), *flags, *model, "-I", source.parent,
            program, source, *self.engines[kind], "-o", target,
        )  # fmt: skip
        result = subprocess.run([target], capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout.splitlines()

    def compile_engine(self, compiler: str, *flags: str) -> list[Path]:
        objects = []
        for source in engine_sources():
            objects.append(self.folder / f"{compiler}{''.join(flags)}{source.stem}.o")
            compile_c(compiler, *self.flags(compiler), *flags, "-c", source, "-o", objects[-1])
        return objects

    def flags(self, compiler: str) -> list[str]:
        gcc = ["-fsanitize=address", "-fno-sanitize-recover=all"]
        other = gcc if compiler == "gcc" else ["-fsanitize-trap=all", "-g"]
        return [*WARNINGS, "-fsanitize=undefined", *other]


@pytest.fixture(scope="module")
def sanitizers(tmp_path_factory: pytest.TempPathFactory) -> Sanitizers:
    return Sanitizers(tmp_path_factory.mktemp("engine"))


@each_layout
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("optimization", ["-O0", "-O3"])
def test_golden_vectors_pass_under_sanitizers(
    models: dict[str, sml.QuantizedMLP],
    name: str,
    compiler: str,
    optimization: str,
    layout: Layout,
    sanitizers: Sanitizers,
    tmp_path: Path,
) -> None:
    source, _ = sml.export_c(models[name], tmp_path, name=name)
    lines = sanitizers.run(SELF_TEST, source, compiler, optimization, chosen(layout))
    assert lines == ["self-test 32/32"]


def chosen(layout: Layout) -> str:
    """The compiler's flag for a layout."""
    return f"-DSML_LAYOUT={layout.number}"


def test_the_layouts_are_numbered_as_in_the_engine() -> None:
    header = (engine_folder() / "layout.h").read_text("utf-8")
    found = re.findall(r"^#define (SML_LAYOUT_\w+) (\d+)", header, re.MULTILINE)
    assert found == [(layout.macro, str(layout.number)) for layout in LAYOUTS]


@each_layout
@pytest.mark.parametrize("name", ["snow_model", "many_classes_model", "tables_model"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_digest_passes_under_sanitizers(
    models: dict[str, sml.QuantizedMLP],
    name: str,
    compiler: str,
    layout: Layout,
    sanitizers: Sanitizers,
    tmp_path: Path,
) -> None:
    source, _ = sml.export_c(models[name], tmp_path, name=name)
    expected = str(digest(models[name], 1001, 7))
    assert sanitizers.run(DIGEST, source, compiler, "-O3", chosen(layout)) == [expected] * 2


@each_layout
@pytest.mark.parametrize("inputs", range(1, 10))
def test_every_remainder_passes_under_sanitizers(
    inputs: int, layout: Layout, sanitizers: Sanitizers, tmp_path: Path
) -> None:
    """Of columns by 2 and 4, of rows by 6, 4 and 2."""
    sizes = [inputs, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, inputs]
    model = random_model(sizes, inputs, activations="linear")
    assert len(np.unique(model.run(golden_inputs(model)), axis=0)) > 15
    source, _ = sml.export_c(model, tmp_path, name="shapes")
    lines = sanitizers.run(SELF_TEST, source, "gcc", "-O0", chosen(layout))
    assert lines == ["self-test 32/32"]


def test_511_equal_classes_pass_under_sanitizers(sanitizers: Sanitizers, tmp_path: Path) -> None:
    """The largest sum that a softmax can have."""
    one, zeros = np.ones(511, np.float32), np.zeros(511, np.int32)
    logits = Quantization(0.1, 0)
    layer = QuantizedDense(np.zeros((511, 1), np.int8), one, zeros, logits, logits)
    alike = sml.QuantizedMLP((layer,), Softmax(logits))
    assert (alike.run(golden_inputs(alike)) == -127).all()
    source, _ = sml.export_c(alike, tmp_path, name="alike")
    for layout in LAYOUTS:
        lines = sanitizers.run(SELF_TEST, source, "gcc", "-O0", chosen(layout))
        assert lines == ["self-test 32/32"]


@each_cpu
@pytest.mark.parametrize("program", [SELF_TEST, DIGEST], ids=["self-test", "digest"])
def test_the_programs_compile_for_both_boards(
    models: dict[str, sml.QuantizedMLP], program: Path, cpu: str, tmp_path: Path
) -> None:
    sml.export_c(models["classes_model"], tmp_path, name="classes_model")
    names = ["-DSML_SELF_TEST", "-DMODEL=classes_model", "-DMODEL_UPPER=CLASSES_MODEL"]
    flags = [*CPUS[cpu][0], *ARDUINO, *WARNINGS, *names, "-I", tmp_path]
    compile_c("arm-none-eabi-gcc", *flags, "-c", program, "-o", tmp_path / "program.o")


@pytest.mark.parametrize("name", SIZEOF)
def test_the_structs_are_as_large_as_the_exporter_thinks(name: str, tmp_path: Path) -> None:
    program = tmp_path / "sizes.c"
    program.write_text(
        f'#include "scratchml.h"\n_Static_assert(sizeof({name}) == {SIZEOF[name]}, "");\n'
    )
    for flags, _ in CPUS.values():
        compile_c("arm-none-eabi-gcc", *flags, "-std=c11", "-fsyntax-only", program)


@each_layout
def test_a_wrong_weight_fails_the_self_test(
    model: sml.QuantizedMLP, layout: Layout, tmp_path: Path
) -> None:
    """The vectors must be able to fail."""
    source, _ = sml.export_c(model, tmp_path, name="snow")
    text = source.read_text("utf-8")
    right = section(text, layout)
    opening = r"(layer2_weights\[\d+\] = {\s+)"
    if layout == PORTABLE:  # the first weight
        weight = int(model.layers[1].weights[0, 0])
        wrong, count = re.subn(rf"{opening}{weight},", rf"\g<1>{-weight or 9},", right)
    else:  # a bit of it: the first word is the bias
        word = numbers(right, "layer2_weights")[1]
        pattern = rf"{opening}(0x\w+, )0x{word:08x},"
        wrong, count = re.subn(pattern, rf"\g<1>\g<2>0x{word ^ 0x40:08x},", right)
    assert count == 1
    source.write_text(text.replace(right, wrong))
    flags = ["-DSML_SELF_TEST", "-DMODEL=snow", "-DMODEL_UPPER=SNOW", "-I", tmp_path]
    program = tmp_path / "self_test"
    compile_c("gcc", chosen(layout), *flags, SELF_TEST, source, *engine_sources(), "-o", program)
    result = subprocess.run([program], capture_output=True, text=True)
    assert result.returncode == 1
    assert re.fullmatch(r"self-test \d+/32\n", result.stdout)


#: A CPU, the flag that chooses a layout there, and that layout.
CHOICES = {
    "cortex-m4": ("cortex-m4", (), CORTEX_M4),
    "cortex-m0plus": ("cortex-m0plus", (), CORTEX_M0PLUS),
    "cortex-m4, by name": ("cortex-m4", ("-DSML_LAYOUT=1",), CORTEX_M4),
    "cortex-m0plus, by name": ("cortex-m0plus", ("-DSML_LAYOUT=2",), CORTEX_M0PLUS),
    "portable on cortex-m4": ("cortex-m4", ("-DSML_LAYOUT=0",), PORTABLE),
    "portable on cortex-m0plus": ("cortex-m0plus", ("-DSML_LAYOUT=0",), PORTABLE),
}

each_choice = pytest.mark.parametrize("choice", CHOICES)


def sections_of(compiled: Path) -> dict[str, int]:
    """The bytes of each section of an object file."""
    size = [require("arm-none-eabi-gcc").replace("-gcc", "-size"), "--format=sysv", str(compiled)]
    lines = subprocess.run(size, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[0]: int(line.split()[1]) for line in lines if line.startswith(".")}


def whole_words(sections: dict[str, int], *beginnings: str) -> int:
    """What the sections of these names take, each in whole words."""
    found = [bytes_ for name, bytes_ in sections.items() if name.startswith(beginnings)]
    return sum(-(-bytes_ // 4) * 4 for bytes_ in found)


@each_choice
@pytest.mark.parametrize("name", (*NAMES, *AROUND))
def test_flash_bytes_is_what_the_arm_compiler_makes_of_it(
    models: dict[str, sml.QuantizedMLP], name: str, choice: str, tmp_path: Path
) -> None:
    """Constant sections of the object file, as flagged by the Arduino cores, nothing in RAM."""
    cpu, flags, layout = CHOICES[choice]
    source, _ = sml.export_c(models[name], tmp_path, name=name)
    target = tmp_path / "model.o"
    given = [*CPUS[cpu][0], *flags, *ARDUINO, *WARNINGS]
    compile_c("arm-none-eabi-gcc", *given, "-c", source, "-o", target)
    sections = sections_of(target)
    assert whole_words(sections, ".rodata") == flash_bytes(models[name], layout)
    assert whole_words(sections, ".data", ".bss", ".text") == 0


def test_flash_bytes_of_the_flagship(model: sml.QuantizedMLP) -> None:
    """By hand: 6-12-1 with two sensors and a sigmoid."""
    structs = 24 + 2 * 28 + 2 * 20
    portable = (6 * 12 + 12 * 12) + (12 + 12) + 256
    # six pairs: h and l, three words of two columns, two multipliers and the shifts; a single row:
    # its sum, six words of two columns, a multiplier and a shift
    cortex_m4 = 4 * (6 * (2 + 3 + 3)) + 4 * (1 + 6 + 2) + 256
    # three times four rows: four sums, six columns, two words of scale a row; a single row
    cortex_m0plus = 4 * (3 * (4 + 6 + 8)) + 4 * (1 + 3 + 2) + 256
    sizes = [flash_bytes(model, layout) - structs for layout in LAYOUTS]
    assert sizes == [portable, cortex_m4, cortex_m0plus]


#: Of a board: flash, which holds what is constant, and RAM.
LINKER_SCRIPT = """
MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 1M  RAM : ORIGIN = 0x20000000, LENGTH = 256K }
SECTIONS {
    .text : { *(.text*) *(.rodata*) } > FLASH
    .data : { *(.data*) } > RAM AT > FLASH
    .bss : { *(.bss*) *(COMMON) } > RAM
}
"""


@each_choice
@pytest.mark.parametrize("in_ram", [False, True], ids=["as it is", "weights in RAM"])
def test_a_macro_moves_the_weights_to_ram(
    models: dict[str, sml.QuantizedMLP], choice: str, in_ram: bool, tmp_path: Path
) -> None:
    cpu, flags, layout = CHOICES[choice]
    model = models["tables_model"]
    source, _ = sml.export_c(model, tmp_path, name="tables")
    given = [*CPUS[cpu][0], *flags, *ARDUINO, *WARNINGS]
    if in_ram:
        given.append('-DSML_WEIGHTS=__attribute__((section(".data.weights")))')
    compiled, linked = tmp_path / "model.o", tmp_path / "model.elf"
    compile_c("arm-none-eabi-gcc", *given, "-c", source, "-o", compiled)
    weights = [layout.lay_out(layer).weights.nbytes for layer in model.layers]
    found = {".data": 0} | sections_of(compiled)
    moved = sum(-(-bytes_ // 4) * 4 for bytes_ in weights) if in_ram else 0
    assert whole_words(found, ".rodata") == flash_bytes(model, layout) - moved
    # in one section int8 arrays may follow each other without padding
    assert (sum(weights) if in_ram else 0) <= whole_words(found, ".data") <= moved

    script = tmp_path / "board.ld"
    script.write_text(LINKER_SCRIPT)
    objects = [compiled]
    for engine_source in (*engine_sources(), *engine_assembly()):
        objects.append(tmp_path / f"{engine_source.stem}.o")
        compile_c("arm-none-eabi-gcc", *given, "-c", engine_source, "-o", objects[-1])
    compile_c(
        "arm-none-eabi-gcc", *CPUS[cpu][0], "-nostartfiles", "-Wl,-e,sml_run_model", "-T", script,
        *objects, "-o", linked,
    )  # fmt: skip
    nm = [require("arm-none-eabi-gcc").replace("-gcc", "-nm"), str(linked)]
    lines = subprocess.run(nm, capture_output=True, text=True, check=True).stdout.splitlines()
    addresses = {line.split()[-1]: int(line.split()[0], 16) for line in lines}
    for number in range(1, len(model.layers) + 1):
        assert (addresses[f"layer{number}_weights"] >= 0x20000000) == in_ram
        assert addresses[f"layer{number}_table"] < 0x20000000


@each_choice
def test_engine_compiles_for_both_boards(choice: str, tmp_path: Path) -> None:
    """And needs nothing from a C library but memory functions: no malloc, no stdio, no floats."""
    cpu, flags, layout = CHOICES[choice]
    objects = []
    for source in (*engine_sources(), *engine_assembly()):
        objects.append(tmp_path / f"{source.stem}.o")
        given = [*CPUS[cpu][0], *flags, *ARDUINO, *WARNINGS]
        compile_c("arm-none-eabi-gcc", *given, "-c", source, "-o", objects[-1])
    nm = [require("arm-none-eabi-gcc").replace("-gcc", "-nm"), *map(str, objects)]
    lines = subprocess.run(nm, capture_output=True, text=True, check=True).stdout.splitlines()
    symbols = [tuple(line.split()[-2:]) for line in lines if len(line.split()) >= 2]
    undefined = {name for kind, name in symbols if kind == "U"}
    defined = [name for kind, name in symbols if kind in "Tt"]
    variables = {name for kind, name in symbols if kind in "BDbd"}
    assert variables == set()
    # 64-bit multiplication on the M0+, which has no instruction for it
    allowed = {"memcpy", "memset", "memmove", "__aeabi_lmul"}
    # nor for the division of a window's sums by its length; layers divide nothing
    divisions = {"__aeabi_idiv", "__aeabi_uidiv"}
    assert undefined - set(defined) - divisions <= allowed
    for path in objects:
        if path.stem != "front_end":
            assert not divisions & set(subprocess.check_output([nm[0], path], text=True).split())

    # the layout's kernels are there, once, and no other layout's
    packed = f"sml_dense_{layout.name.replace('-', '_')}"
    expected = {"sml_dense_portable"} | ({packed, f"{packed}_small"} if layout.pack else set())
    kernels = [name for name in defined if name.startswith("sml_dense_")]
    assert sorted(kernels) == sorted(expected)


def defines(model: sml.QuantizedMLP, folder: Path) -> dict[str, str]:
    """The constants of an exported header, without the parentheses around negative ones."""
    _, header = sml.export_c(model, folder, name="snow")
    found = re.findall(r"^#define SNOW_(\w+) \(?([^()\n]+)\)?$", header.read_text("utf-8"), re.M)
    return dict(found)


def memory_of(model: sml.QuantizedMLP, folder: Path, *flags: str) -> int:
    """The activation memory of an exported model, as the preprocessor sees it."""
    _, header = sml.export_c(model, folder, name="snow")
    command = [require("gcc"), *flags, "-E", "-dM", "-I", str(engine_folder()), str(header)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (bytes_,) = re.findall(r"^#define SNOW_MEMORY_BYTES (\d+)$", found, re.MULTILINE)
    return int(bytes_)


def test_the_header_says_what_the_outputs_mean(
    models: dict[str, sml.QuantizedMLP], tmp_path: Path
) -> None:
    for name, model in models.items():
        constants = defines(model, tmp_path)
        for layout in LAYOUTS:
            assert memory_of(model, tmp_path, chosen(layout)) == layout.memory_bytes(model.sizes)
        assert constants["INPUTS"] == str(model.inputs)
        assert constants["OUTPUTS"] == str(model.outputs)
        assert constants["MEMORY_BYTES"] == str(model.memory_bytes)
        assert constants["OUTPUT_SCALE"].endswith("f")
        scale = np.float32(constants["OUTPUT_SCALE"].removesuffix("f"))
        meaning = model.output_quantization
        assert (float(scale), int(constants["OUTPUT_ZERO_POINT"])) == (
            meaning.scale,
            meaning.zero_point,
        )
        assert ("THRESHOLD" in constants) == (name == "snow_model")
    assert defines(models["classes_model"], tmp_path)["OUTPUT_SCALE"] == "0.00390625f"


def test_the_header_says_what_a_target_s_outputs_are(
    models: dict[str, sml.QuantizedMLP], tmp_path: Path
) -> None:
    """Standard deviations from the mean; of nothing else that is said."""
    for name, model in models.items():
        text = sml.export_c(model, tmp_path, name=name)[1].read_text("utf-8")
        assert ("standard deviations from the mean of" in text) == (model.target is not None)
    number = next(model for model in models.values() if model.target is not None)
    assert number.target is not None
    found = defines(number, tmp_path)
    scale, zero = float(found["OUTPUT_SCALE"].rstrip("f")), int(found["OUTPUT_ZERO_POINT"])
    table = target_array(number.target, number.output_quantization, "t")
    counts = [int(n) for n in re.findall(r"-?\d+", table.split("{")[1])]
    told = [number.target.mean + number.target.std * scale * (q - zero) for q in range(-128, 128)]
    np.testing.assert_allclose(counts, np.multiply(told, number.target.resolution), atol=0.51)


def test_the_header_names_the_classes_that_the_metadata_does(
    models: dict[str, sml.QuantizedMLP], tmp_path: Path
) -> None:
    def header(name: str, **metadata: Any) -> str:
        model = replace(models[name], metadata=metadata)
        return sml.export_c(model, tmp_path, name="snow")[1].read_text("utf-8")

    threshold = models["snow_model"].decision_threshold
    assert "/* Positive when output[0] >= this code" in header("snow_model")
    assert "/* Positive (snow) when output[0]" in header("snow_model", classes=["dry", "snow"])
    assert "/* Positive when output[0]" in header("snow_model", classes=["only one"])
    assert f"#define SNOW_THRESHOLD ({threshold})" in header("snow_model")
    digits = [f"digit {i}" for i in range(10)]
    assert "most likely class. */" in header("classes_model")
    text = header("classes_model", classes=digits)
    assert ", ".join(digits) in re.sub(r"\s+", " ", text)
    text = header("classes_model", classes=["*/ evil"] * 10)
    assert "evil" in text
    assert "evil" not in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("standard", ["c++14", "c++20"])
def test_headers_can_be_included_from_cpp(
    model: sml.QuantizedMLP, standard: str, tmp_path: Path
) -> None:
    sml.export_c(model, tmp_path, name="snow_model")
    program = tmp_path / "main.cpp"
    program.write_text(
        '#include "snow_model.h"\n#include "snow_model.h"\n'
        "int main() { return snow_model.layer_count == 2 ? SNOW_MODEL_OUTPUTS - 1 : 1; }\n"
    )
    compile_c(
        "g++", f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
        "-I", tmp_path, "-c", program, "-o", tmp_path / "main.o",
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1st",
        "a-b",
        "a b",
        "int",
        "sml_x",
        "layers",
        "../x",
        "layer1_bias",
        "é",
        "a\n",
        "scratchml",
        "SCRATCHML",
        "stdint",
        "new",
        "template",
        "size_t",
        "INT32_MIN",
        "SML_OK",
    ],
)
def test_names_that_c_cannot_take_are_refused(
    model: sml.QuantizedMLP, name: str, tmp_path: Path
) -> None:
    with pytest.raises(sml.ScratchmlError, match="cannot name a C variable"):
        sml.export_c(model, tmp_path, name=name)
    assert list(tmp_path.iterdir()) == []


def test_text_from_a_file_cannot_leave_its_comment(model: sml.QuantizedMLP, tmp_path: Path) -> None:
    """Metadata of a foreign file is written into comments."""
    assert model.scaler is not None
    nasty = "*/ int evil; /*\n#error \\"
    scaler = sml.Scaler(
        (nasty, nasty),
        (nasty, "%"),
        model.scaler.resolution,
        model.scaler.mean,
        model.scaler.std,
    )
    hostile = sml.QuantizedMLP(model.layers, None, scaler, 0.5, {"data": nasty, "seed": nasty})
    source, _ = sml.export_c(hostile, tmp_path, name="snow")
    compile_c("gcc", *WARNINGS, "-c", source, "-o", tmp_path / "snow.o")
    assert b"evil" not in (tmp_path / "snow.o").read_bytes()
