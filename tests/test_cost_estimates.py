"""What is estimated from a trace: waiting for flash, energy, days of a battery."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchml.cost.emulator import Read
from scratchml.cost.energy import POWER, Power, Usage, energy
from scratchml.cost.memory import FLASHES, NRF52840, RP2040, Cache, Flash, estimate
from scratchml.cost.program import Span
from scratchml.errors import ScratchmlError

FLASH_START = 0x10000000


def naive_misses(cache: Cache, lines: list[int]) -> int:
    """Every way of a set is a list, the newest last."""
    sets: list[list[int]] = [[] for _ in range(cache.sets)]
    count = 0
    for line in lines:
        ways = sets[line % cache.sets]
        if line in ways:
            ways.remove(line)
        else:
            count += 1
        ways.append(line)
        del ways[: -cache.ways]
    return count


@given(
    st.lists(st.integers(0, 40), max_size=200),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 4),
)
def test_misses_are_those_of_a_naive_cache(lines: list[int], sets: int, ways: int) -> None:
    cache = Cache(line=8, sets=sets, ways=ways, miss=1)
    assert cache.misses(lines, {}) == naive_misses(cache, lines)


@given(st.lists(st.integers(0, 100), max_size=100))
def test_what_fits_misses_once(lines: list[int]) -> None:
    held: dict[int, dict[int, None]] = {}
    assert RP2040.cache.misses(lines, held) == len(set(lines))
    assert RP2040.cache.misses(lines, held) == 0


def straight_line(count: int, start: int = FLASH_START) -> tuple[np.ndarray, np.ndarray]:
    """A trace of ``count`` 16-bit instructions, one after the other."""
    return (start + 2 * np.arange(count)).astype(np.uint32), np.full(count, 2, np.int64)


def test_rp2040_code_and_data_share_the_cache() -> None:
    """16 instructions are 4 lines of 8 bytes; a load of 12 bytes at an odd place lies on 2 more."""
    trace, sizes = straight_line(16)
    arrays = Span(FLASH_START + 4096, FLASH_START + 8192)
    reads = [Read(3, arrays.start + 4, 12), Read(5, FLASH_START, 4)]
    found = estimate(RP2040, trace, sizes, reads, 1000, [arrays])
    assert found.cold_flash == 1000 + 56 * (4 + 2)
    assert found.warm_flash == found.weights_in_ram == 1000


def test_rp2040_weights_beyond_the_cache_miss_every_time() -> None:
    """24 KB of weights, read once each time, through a cache of 16 KB, and a line of code."""
    trace, sizes = straight_line(4)
    arrays = Span(FLASH_START + 4096, FLASH_START + 4096 + 24 * 1024)
    reads = [Read(3, address, 4) for address in range(arrays.start, arrays.end, 4)]
    found = estimate(RP2040, trace, sizes, reads, 0, [arrays])
    assert found.cold_flash == 56 * (1 + 24 * 1024 // 8)
    assert found.warm_flash == found.cold_flash  # the oldest line goes first: never in time
    assert found.weights_in_ram == 0


def test_an_instruction_on_two_lines_needs_both() -> None:
    trace = np.array([FLASH_START + 6], np.uint32)
    cold = estimate(RP2040, trace, np.array([4], np.int64), [], 0, []).cold_flash
    assert cold == 2 * 56


def test_nrf52840_data_waits_always_and_code_once() -> None:
    trace, sizes = straight_line(10, start=0x400)
    trace = np.concatenate([trace, trace])  # a loop: the second round is in the cache
    sizes = np.concatenate([sizes, sizes])
    arrays = Span(0x1000, 0x2000)
    reads = [Read(0, 0x1000, 4), Read(1, 0x1001, 1), Read(2, 0x1010, 12), Read(3, 0x420, 4)]
    found = estimate(NRF52840, trace, sizes, reads, 500, [arrays])
    words = {address & ~3 for address in trace.tolist()}
    assert found.cold_flash == 500 + 3 * len(words) + 2 * (1 + 1 + 3 + 1)
    assert found.warm_flash == 500 + 2 * (1 + 1 + 3 + 1)
    assert found.weights_in_ram == 500 + 2 * 1


@pytest.mark.parametrize("flash", FLASHES.values(), ids=FLASHES)
def test_estimates_are_in_order(flash: Flash) -> None:
    rng = np.random.default_rng(0)
    trace = np.sort(FLASH_START + 2 * rng.integers(0, 2000, 3000)).astype(np.uint32)
    arrays = Span(FLASH_START + 4096, FLASH_START + 65536)
    places = rng.integers(0, 50_000, 500).tolist()
    reads = [Read(step, arrays.start + place, 4) for step, place in enumerate(places)]
    found = estimate(flash, trace, np.full(3000, 2, np.int64), reads, 9000, [arrays])
    assert 9000 <= found.weights_in_ram < found.warm_flash < found.cold_flash


def test_assumptions_hold_the_numbers_that_are_used() -> None:
    for flash in FLASHES.values():
        assert str(flash.cache.miss) in flash.assumptions
    assert str(NRF52840.data_wait) in NRF52840.assumptions
    cache = RP2040.cache
    assert cache.line * cache.sets * cache.ways == 16 * 1024
    assert "16 KB, two ways, 8-byte" in RP2040.assumptions


def test_energy_by_hand() -> None:
    """10 mA at 3 V for 2 ms are 60 uJ; 2 ms of 1 s at 10 mA and the rest at 100 uA."""
    found = energy(2000.0, Power(10.0, 100.0, 3.0, ""), Usage(battery=500.0, interval=1.0))
    assert found.microjoules == pytest.approx(60.0)
    assert found.average_current == pytest.approx(0.002 * 10_000 + 0.998 * 100)
    assert found.days == pytest.approx(500_000 / 119.8 / 24)


def test_energy_of_an_inference_as_long_as_the_interval() -> None:
    power = Power(10.0, 100.0, 3.0, "")
    assert energy(1e6, power, Usage(interval=1.0)).average_current == pytest.approx(10_000)
    with pytest.raises(ScratchmlError, match="interval of 1 s is shorter than the inference"):
        energy(1.1e6, power, Usage(interval=1.0))


def test_the_sources_name_the_currents() -> None:
    for power in POWER.values():
        assert f"{power.current:g} mA" in power.source
        assert as_written(power.sleep_current) in power.source


def as_written(microamperes: float) -> str:
    """As a datasheet writes it."""
    small = microamperes < 100
    return f"{microamperes:g} uA" if small else f"{microamperes / 1000:g} mA"
