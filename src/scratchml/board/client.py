"""What a board with the weather station's firmware can be asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

import numpy as np
import numpy.typing as npt

import scratchml._engine as _engine
from scratchml.board.answers import (
    BENCH,
    DIGEST,
    FORECAST,
    SELF_TEST,
    STATUS,
    Bench,
    Forecast,
    SelfTest,
    Status,
    output_of,
    protocol_of,
)
from scratchml.board.link import GREETING, HOURLY, Link
from scratchml.errors import ScratchmlError
from scratchml.export import fingerprint
from scratchml.quantized import QuantizedMLP

Int8 = npt.NDArray[np.int8]

#: CONSOLE_VERSION of csrc/firmware/console.h.
PROTOCOL = 1

#: Of the structs that an exported model consists of: SML_MODEL_VERSION.
ENGINE = int(_engine.lib.SML_MODEL_VERSION)

#: Seconds after which a board that does not answer yet is asked again.
RETRY = 1.0

#: Cycles that a row of a digest may take: 100 for each weight, and 20,000 for the rest, at 16 MHz.
#: No kernel needs as many; an emulator may.
CYCLES_A_WEIGHT, CYCLES_A_ROW, SLOWEST_CLOCK = 100, 20_000, 16e6


class Board:
    """The weather station at a port. A context manager.

    Args:
        port, baud, timeout: see ``Link``.

    Raises:
        ScratchmlError: the port cannot be opened, nobody or something else answers there, or the
            firmware speaks another version of the protocol or has another engine. Every method
            raises it for the reasons of ``Link.ask``.
    """

    def __init__(self, port: str, *, baud: int = 115200, timeout: float = 10.0) -> None:
        self.link = Link(port, baud, timeout)
        try:
            self.greeted = self._connect()
        except BaseException:  # Ctrl-C as well leaves the port to others
            self.close()
            raise

    def status(self) -> Status:
        """What is running on the board, now."""
        return self._checked(self.link.ask("status", STATUS)[0])

    def self_test(self) -> SelfTest:
        """Run the golden rows that the firmware carries."""
        answer = self.link.ask("selftest", SELF_TEST)
        return SelfTest(int(answer[1]), int(answer[2]), answer[3])

    def digest(self, model: QuantizedMLP, rows: int, seed: int = 0) -> int:
        """``scratchml.digest`` of ``rows`` rows, computed on the board.

        It is silent meanwhile; how long is waited depends on the rows and the model's weights.
        """
        weights = sum(layer.weights.size for layer in model.layers)
        patience = rows * (CYCLES_A_WEIGHT * weights + CYCLES_A_ROW) / SLOWEST_CLOCK
        answer = self.link.ask(f"digest {rows} {seed}", DIGEST, self.link.timeout + patience)
        return int(answer[1], 16)

    def run(self, x: Int8, on_rows: Callable[[int], None] | None = None) -> Int8:
        """int8 rows ``[n, inputs]`` to int8 rows ``[n, outputs]``.

        ``on_rows`` is told after each how many rows are done.
        """
        answer = output_of(self.greeted.outputs)
        outputs = np.empty((len(x), self.greeted.outputs), np.int8)
        for i, row in enumerate(x):
            output = self.link.ask(f"run {row.tobytes().hex()}", answer)
            outputs[i] = np.frombuffer(bytes.fromhex(output[1]), np.int8)
            if on_rows:
                on_rows(i + 1)
        return outputs

    def feed(
        self, counts: npt.NDArray[np.int32], on_rows: Callable[[int], None] | None = None
    ) -> list[Forecast]:
        """Sensor counts ``[n, inputs]``, the oldest hour first, to forecasts."""
        forecasts = []
        for row in counts:
            answer = self.link.ask(f"feed {' '.join(map(str, row.tolist()))}", FORECAST)
            forecasts.append(Forecast(int(answer[1]), int(answer[2]), answer[3] == "yes"))
            if on_rows:
                on_rows(len(forecasts))
        return forecasts

    def bench(self) -> Bench:
        """One inference by the board's own counter of cycles; the least of a few."""
        answer = self.link.ask("bench", BENCH)
        bench = Bench(int(answer[1]), int(answer[2]))
        if bench.clock == 0:
            raise ScratchmlError(f"{self.link.port}: the board says {answer[0]!r}: a clock of 0 Hz")
        return bench

    def check_model(self, model: QuantizedMLP, name: str) -> None:
        """Raise ScratchmlError unless the board runs this model; ``name`` is its file's."""
        ours, theirs = fingerprint(model), self.greeted.model
        if ours != theirs:
            raise ScratchmlError(
                f"the board runs model {theirs:08x}, {name} is {ours:08x}: put it there with "
                "scratchml export --firmware and upload, or name the board's model with --model"
            )

    def close(self) -> None:
        self.link.close()

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _connect(self) -> Status:
        """Ask for the status until it comes; whatever else was under way is let pass."""
        until = time.monotonic() + self.link.timeout
        heard = None
        while time.monotonic() < until:
            self.link.send("")  # ends a line that somebody had begun
            self.link.send("status")
            again = min(time.monotonic() + RETRY, until)
            while line := self.link.read_line(again):
                if STATUS.fullmatch(line):
                    return self._checked(line)
                self.link.refuse_halted(line)
                if HOURLY not in line and not line.startswith(GREETING):
                    heard = line
        port, timeout = self.link.port, self.link.timeout
        if heard:
            raise ScratchmlError(
                f"{port}: what answers is no scratchml firmware (it says {heard[:60]!r}): upload "
                "it, or name another --port"
            )
        raise ScratchmlError(
            f"{port}: no answer within {timeout:g} s: the board has another firmware, is in its "
            "boot loader or still at an earlier digest; reset it once, or upload the firmware"
        )

    def _checked(self, line: str) -> Status:
        """The status in a line, if it is one that this scratchml can work with.

        The version of the protocol is looked at first: by it the rest may have other names.
        """
        port = self.link.port
        remedy = (
            "upload the firmware of this version, or install the scratchml that the firmware came "
            "with"
        )
        protocol = protocol_of(line)
        if protocol not in (None, PROTOCOL):
            raise ScratchmlError(
                f"{port}: the firmware speaks version {protocol} of the protocol, this scratchml "
                f"version {PROTOCOL}: {remedy}"
            )
        try:
            status = Status.parse(line)
        except (KeyError, ValueError):
            raise ScratchmlError(
                f"{port}: the board answers {line[:60]!r}, which is no status: upload the firmware "
                "again"
            ) from None
        if status.engine != ENGINE:
            raise ScratchmlError(
                f"{port}: the firmware has version {status.engine} of the engine, this scratchml "
                f"version {ENGINE}: {remedy}"
            )
        return status
