"""Tables of samples as somebody might have recorded them, made up."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: What tells the gestures apart: amplitude in g and turns a second of each axis.
GESTURES = {
    "circle": ((1.0, 1.0), (1.0, 1.0), (0.1, 2.0)),
    "idle": ((0.02, 1.0), (0.02, 1.0), (0.02, 1.0)),
    "shake": ((0.8, 4.0), (0.1, 1.0), (0.1, 1.0)),
}


def gestures(persons: int = 6, seconds: float = 4.0, seed: int = 0) -> pd.DataFrame:
    """25 samples a second of three axes in g; each person does each gesture once."""
    rng = np.random.default_rng(seed)
    recordings = []
    for person in range(persons):
        for name, axes in GESTURES.items():
            time = np.arange(round(25 * seconds)) / 25
            values = {"time": time}
            for axis, (size, turns) in zip(("ax", "ay", "az"), axes, strict=True):
                wave = size * np.sin(2 * np.pi * (turns * time + rng.random()))
                values[axis] = (wave + rng.normal(0, 0.05, len(time))).round(3)
            recordings.append(pd.DataFrame(values).assign(gesture=name, person=f"p{person}"))
    return pd.concat(recordings, ignore_index=True)


def weights(n: int = 600, seed: int = 0) -> pd.DataFrame:
    """A load cell that also feels the temperature: what lies on it, in tenths of a gram."""
    rng = np.random.default_rng(seed)
    weight = rng.uniform(200, 1200, n).round(1)
    celsius = rng.uniform(5, 35, n).round(2)
    bridge = np.rint(100_000 + 40 * weight * (1 + 0.004 * (celsius - 20)) + rng.normal(0, 50, n))
    battery = rng.uniform(3.0, 4.2, n).round(3)
    columns = {"bridge": bridge, "celsius": celsius, "battery": battery, "weight": weight}
    return pd.DataFrame({"time": np.arange(n) * 60.0, **columns})


#: Of ``weights``.
READ = ("bridge", "celsius", "battery")
