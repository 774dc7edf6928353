"""Make ``replay_hours.h``: recorded weather for firmware that has no sensor.

A developer's tool. With its defaults it writes the committed ``csrc/firmware/replay``, a winter's
week with snow and one missing hour, out of the embedded data; in an emulator another file takes
its place, from a folder that stands earlier in the compiler's include path::

    python tools/make_replay_hours.py --start 1998-10-01T01:00 --hours 8760 --missing 7,8 -o year
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from scratchml import weather
from scratchml.dataset import CHANNELS
from scratchml.errors import ScratchmlError
from scratchml.files import atomic_write

Int16 = npt.NDArray[np.int16]

NAME = "replay_hours.h"
DEFAULT_OUTPUT = Path(__file__).resolve().parent.parent / "csrc/firmware/replay"
#: What is committed: a week with snow, and with an hour that is missing.
DEFAULT_START, DEFAULT_HOURS, DEFAULT_MISSING = "2007-02-21T01:00", 168, [100]

#: The temperature of an hour that is missing.
MISSING = -(2**15)


def counts_of(table: pd.DataFrame, start: str, hours: int, missing: Collection[int] = ()) -> Int16:
    """Readings ``int16[hours, 2]`` in counts, from the hour that ends at ``start`` on.

    An hour of ``missing`` is ``[MISSING, 0]``, and so is one that the table does not have.

    Raises:
        ScratchmlError: ``start`` is no time, the table does not reach that far, or ``missing``
            names an hour that is not there.
    """
    if hours < 1:
        raise ScratchmlError(f"{hours} hours: there must be one at least")
    try:
        times = pd.date_range(start, periods=hours, freq="h")
    except ValueError:
        raise ScratchmlError(f"start {start!r}: write it like {DEFAULT_START}") from None
    first, last = table["time"].iloc[0], table["time"].iloc[-1]
    if times[0] < first or times[-1] > last:
        raise ScratchmlError(f"{hours} hours from {start}: there are those of {first} to {last}")
    if any(not 0 <= place < hours for place in missing):
        raise ScratchmlError(f"missing hours are numbered from 0 to {hours - 1}")
    chosen = table.set_index("time").reindex(times)
    channels = [np.rint(chosen[name].to_numpy() * resolution) for name, _, resolution in CHANNELS]
    counts = np.stack(channels, axis=1)
    holes = np.isnan(counts).any(axis=1)
    holes[list(missing)] = True
    counts[holes] = [MISSING, 0]
    return counts.astype(np.int16)


def header(counts: Int16, start: str) -> str:
    """The text of ``replay_hours.h``."""
    rows = [
        f"    {{{'INT16_MIN' if temperature == MISSING else temperature}, {humidity}}},"
        for temperature, humidity in counts.tolist()
    ]
    return "\n".join(
        [
            "/* Recorded weather: 1/100 degrees Celsius and 1/100 %, an hour a row, from the hour",
            f" * that ends at {start} on; INT16_MIN: the hour is missing.",
            " * Made by tools/make_replay_hours.py; do not edit. */",
            "#ifndef REPLAY_HOURS_H",
            "#define REPLAY_HOURS_H",
            "",
            "#include <stdint.h>",
            "",
            f"enum {{ REPLAY_HOURS = {len(counts)} }};",
            "",
            "/* clang-format off */",
            "static const int16_t replay_hours[REPLAY_HOURS][2] = {",
            *rows,
            "};",
            "",
            "#endif",
            "",
        ]
    )


def places(text: str) -> list[int]:
    """Of the missing hours: ``7,8,100``, or nothing."""
    return [int(place) for place in text.split(",") if place]


def main(arguments: list[str] | None = None) -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Make replay_hours.h out of the embedded data.")
    parser.add_argument("--start", default=DEFAULT_START, help=f"by default {DEFAULT_START}")
    parser.add_argument("--hours", type=int, default=DEFAULT_HOURS, help="how many")
    parser.add_argument("--missing", type=places, help="which to leave out: 7,8,100")
    parser.add_argument("-o", "--output", type=Path, default=DEFAULT_OUTPUT, help="the folder")
    given = parser.parse_args(arguments)
    if given.missing is None:
        given.missing = DEFAULT_MISSING if given.hours == DEFAULT_HOURS else []
    try:
        counts = counts_of(weather.load(), given.start, given.hours, given.missing)
    except ScratchmlError as error:
        print(error, file=sys.stderr)
        return 1
    atomic_write(given.output / NAME, header(counts, given.start).encode())
    print(f"{given.output / NAME}: {len(counts)} hours, {(counts[:, 0] == MISSING).sum()} missing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
