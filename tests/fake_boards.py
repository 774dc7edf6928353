"""Boards made up in Python, behind a pseudo-terminal: an honest one, and its misbehaving kin."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
import zlib
from collections.abc import Callable

import numpy as np

from scratchml.board.client import ENGINE, PROTOCOL
from scratchml.digest import stream
from scratchml.export import fingerprint
from scratchml.quantized import QuantizedMLP

#: What a board writes when it gets a line; ``None`` closes the port.
Answer = Callable[[str], bytes | None]

HOUR = b"12.0 C 85.0 % -> snow 7 % (no)\r\n"


class Honest:
    """Answers as the firmware does, for a model of one output; ``status`` may be changed."""

    def __init__(self, model: QuantizedMLP, /, **status: object) -> None:
        self.model = model
        self.values = {
            "protocol": PROTOCOL,
            "engine": ENGINE,
            "model": f"{fingerprint(model):08x}",
            "inputs": model.inputs,
            "outputs": model.outputs,
            "board": "fake",
            "clock": 64_000_000,
            "hours": 5,
            "holes": 1,
            "needed": 0,
            **status,
        }

    def __call__(self, line: str) -> bytes:
        command, *words = line.split() or [""]
        known = ("status", "selftest", "digest", "run", "feed", "bench")
        if not command:
            return b""
        if command not in known:
            return b"error unknown command; try: help\r\n"
        return f"{getattr(self, command)(*words)}\r\n".encode()

    def status(self) -> str:
        return " ".join(["status", *(f"{name}={value}" for name, value in self.values.items())])

    def selftest(self) -> str:
        return "self-test 32/32"

    def digest(self, rows: str, seed: str) -> str:
        codes = stream(int(seed), 0, int(rows) * self.model.inputs)
        outputs = self.model.run(codes.reshape(int(rows), -1))
        return f"digest {zlib.crc32(outputs.tobytes()):08x}"

    def run(self, codes: str) -> str:
        row = np.frombuffer(bytes.fromhex(codes), np.int8)
        return f"output {self.model.run(row[None]).tobytes().hex()}"

    def feed(self, *counts: str) -> str:
        row = np.array([counts], np.int64).astype(np.int32)
        (code,) = self.model.run(self.model.prepare_input(row))[0].tolist()
        percent = int((code + 128) / 256 * 100 + 0.5)
        return (
            f"forecast {code} {percent} {'yes' if code >= self.model.decision_threshold else 'no'}"
        )

    def bench(self) -> str:
        return "bench cycles=1234 clock=64000000"


def instead(model: QuantizedMLP, command: str, answer: bytes | None) -> Answer:
    """An honest board, but for the answer to one command; ``None`` hangs up."""
    honest = Honest(model)
    return lambda line: answer if line.split()[:1] == [command] else honest(line)


class FakeBoard:
    """A pseudo-terminal, and a thread that answers each line. A context manager.

    Attributes:
        port: what a computer opens.
        lines: that have come, without those that are empty.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self.lines: list[str] = []
        self._end, self._ending = os.pipe()
        self._thread = threading.Thread(target=self._serve)

    def say(self, words: bytes) -> None:
        """Write, whatever is asked."""
        os.write(self._master, words)

    def __enter__(self) -> FakeBoard:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        os.close(self._end)
        os.close(self._ending)

    def hang_up(self) -> None:
        """Close the port, as a cable does that is pulled."""
        os.write(self._ending, b"x")
        self._thread.join()

    def _serve(self) -> None:
        received = b""
        try:
            while self._master in select.select([self._master, self._end], [], [])[0]:
                received += os.read(self._master, 4096)
                *lines, received = received.split(b"\n")
                for line in lines:
                    if line:
                        self.lines.append(line.decode())
                    answer = self._answer(line.decode())
                    if answer is None:
                        return
                    os.write(self._master, answer)
        finally:
            os.close(self._slave)
            os.close(self._master)
