"""The engine on the real instruction sets, in QEMU and in unicorn: the bytes that numpy gives.

Each program checks that memory which is too small or not aligned is refused, runs the golden rows
from eight aligned addresses with canaries around the memory and the output, then rows chosen for
the model, and prints the digest of random ones. The suite runs the flagship; ``pytest -m sweep``
runs every model on both boards at -O2, -Os and -O3.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from emulated import (
    BOARDS,
    SEED,
    Board,
    Chosen,
    Target,
    Unicorn,
    Workshop,
    kernels,
    run_in_qemu,
)
from emulated_models import CASES, case, every_pair, expected, layers_of

import scratchml as sml
from scratchml.digest import digest
from scratchml.export import golden_inputs
from scratchml.resources import engine_folder

UNICORN_ROWS = 100
OPTIMIZATIONS = ("-O2", "-Os", "-O3")


# --- the programs -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("emulated"))


each_board = pytest.mark.parametrize("board", BOARDS, ids=[board.cpu for board in BOARDS])


def check(workshop: Workshop, target: Target, name: str) -> None:
    """The case in QEMU, and its first rows in unicorn: numpy's bytes, all of them."""
    one = case(name)
    elf = workshop.program(target, one.model, one.rows, one.chosen)
    own = {kernel.startswith(target.board.kernel) for kernel in kernels(elf)}
    packed = "none" if target.flags else one.packed
    assert own == {"all": {True}, "none": {False}, "some": {True, False}}[packed]
    result = run_in_qemu(target.board, elf)
    digest_line = f"digest {expected(name, one.rows)}"
    assert result.lines == ["golden 32/32", *one.chosen.report(), digest_line]
    assert result.code == 0
    assert Unicorn(target.board, elf).digest(UNICORN_ROWS) == expected(name, UNICORN_ROWS)


@each_board
def test_the_flagship_on_both_boards(board: Board, workshop: Workshop) -> None:
    check(workshop, Target(board), "6-12-1")


@each_board
@pytest.mark.parametrize("name", ["64-32-10", "clamps, tables and zeros"])
def test_the_portable_kernel_on_both_boards(board: Board, name: str, workshop: Workshop) -> None:
    check(workshop, Target(board, flags=("-DSML_LAYOUT=0",)), name)


@pytest.mark.sweep
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("optimization", OPTIMIZATIONS)
@each_board
def test_every_model_on_both_boards(
    board: Board, optimization: str, name: str, workshop: Workshop
) -> None:
    check(workshop, Target(board, optimization), name)


@pytest.mark.parametrize("name", CASES)
def test_the_outputs_are_varied_enough_to_prove_something(name: str) -> None:
    one = case(name).model
    rows = np.random.default_rng(0).integers(-128, 128, (200, one.inputs)).astype(np.int8)
    assert len(np.unique(one.run(rows), axis=0)) >= 50


# --- layers one by one ------------------------------------------------------------------------


@each_board
def test_layers_of_every_shape_one_by_one(board: Board, workshop: Workshop) -> None:
    """1 to 14 inputs with 1 to 14 outputs, and up to 64 of one with up to 14 of the other.

    Each kernel keeps what a call must keep, and writes to its outputs only.
    """
    sizes = every_pair(14)
    assert len(set(pairwise(sizes))) == len(sizes) - 1 == 14 * 14
    for shift in (0, 7):  # so that outputs are even and odd for either kind of inputs
        for wide in range(15, 65):
            sizes += [wide, 1 + (wide + shift) % 14]
    model = layers_of(sizes)
    elf = workshop.program(Target(board), model, 0)
    header = (engine_folder() / "scratchml.h").read_text("utf-8")
    own = set(re.findall(rf"^void ({board.kernel}\w*)\(", header, re.MULTILINE))
    assert own and kernels(elf) == own
    core, rng = Unicorn(board, elf), np.random.default_rng(1)
    for index, layer in enumerate(model.layers):
        outputs, inputs = layer.weights.shape
        rows = rng.integers(-128, 128, (6, inputs)).astype(np.int8)
        rows[:2] = [[-128], [127]]
        given = np.array([core.run_layer(index, row, outputs) for row in rows])
        assert (given == layer.run(rows)).all(), f"{inputs} inputs, {outputs} outputs"


# --- what the program notices -----------------------------------------------------------------


@each_board
def test_one_changed_weight_fails_the_self_test(board: Board, workshop: Workshop) -> None:
    """The golden rows of one model, the weights of another: as many fail as numpy says."""
    right = case("64-32-10").model
    weights = right.layers[0].weights.copy()
    weights[3, 5] = -weights[3, 5] or 64
    layers = (replace(right.layers[0], weights=weights), *right.layers[1:])
    wrong = replace(right, layers=layers)
    rows = golden_inputs(right)
    good = int((wrong.run(rows) == right.run(rows)).all(axis=1).sum())
    assert 0 < good < 32

    folder, other = workshop.new_folder(), workshop.new_folder()
    sml.export_c(wrong, folder, name="net")
    sml.export_c(right, other, name="net")
    changed, golden = ((path / "net.c").read_text("utf-8") for path in (folder, other))
    marker = "#ifdef SML_SELF_TEST\n"
    assert changed.count(marker) == golden.count(marker) == 1
    (folder / "net.c").write_text(changed.split(marker)[0] + marker + golden.split(marker)[1])
    (folder / "chosen.h").write_text(Chosen().header(wrong))
    result = run_in_qemu(board, workshop.link(Target(board), folder, 10))
    # each of the eight places reports its own
    assert result.lines == [*[f"golden {good}/32"] * 8, f"digest {digest(wrong, 10, SEED)}"]
    assert result.code == 3
    assert digest(wrong, 10, SEED) != digest(right, 10, SEED)
