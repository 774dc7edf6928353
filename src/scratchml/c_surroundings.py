"""What a program around the model needs, as C: what goes in, and what comes out.

The front end and the channels on one side, the names of classes or a target's counts on the other.
"""

from __future__ import annotations

import re

import numpy as np

from scratchml.affine import Quantization
from scratchml.c_arrays import array
from scratchml.errors import ScratchmlError
from scratchml.front_end import FrontEnd
from scratchml.rows import Scaler
from scratchml.target import Target
from scratchml.text import printable


def comment_safe(text: str) -> str:
    """Text from a file cannot end the comment it stands in, nor open a line of its own."""
    return re.sub(r"[^\x20-\x7e]", "?", text).replace("*/", "* /").replace("/*", "/ *")


def front_end_declaration(front_end: FrontEnd, name: str) -> str:
    """For the header: the sizes of a sample and of the memory, and what the counts are."""
    upper = name.upper()
    channels = "".join(
        "\n *     " + comment_safe(f"sample[{i}]: {c.name}, counts of 1/{c.resolution} {c.unit}")
        for i, c in enumerate(front_end.channels)
    )
    made = (
        f"of each channel its {', '.join(front_end.statistics)}"
        if front_end.statistics
        else "the window itself, the oldest sample first"
    )
    return f"""
/* From samples to inputs: sml_stream_start, sml_stream_add. A window of {front_end.window} samples,
 * {front_end.step} after the one before it, gives {made}.{channels} */
#define {upper}_CHANNELS {len(front_end.channels)}
#define {upper}_WINDOW {front_end.window}
#define {upper}_STEP {front_end.step}
#define {upper}_STREAM_BYTES {4 * front_end.window * len(front_end.channels)}
extern const sml_front_end {name}_front_end;
"""


def front_end_struct(front_end: FrontEnd, name: str) -> str:
    """For the source."""
    mask = " | ".join(f"SML_{statistic.upper()}" for statistic in front_end.statistics)
    return f"""\
const sml_front_end {name}_front_end = {{
    .channels = {len(front_end.channels)},
    .window = {front_end.window},
    .step = {front_end.step},
    .statistics = {mask or 0},
}};
"""


def inputs_comment(scaler: Scaler) -> str:
    """For the header of a model that reads one sample: what the counts are."""
    channels = "".join(
        "\n *     " + comment_safe(f"counts[{i}]: {name}, counts of 1/{resolution} {unit}".rstrip())
        for i, (name, unit, resolution) in enumerate(scaler.channels)
    )
    return f"\n/* What sml_prepare_input takes:{channels} */\n"


def target_declaration(target: Target, name: str) -> str:
    """For the header of a model that tells a number."""
    unit = f"counts of 1/{target.resolution} {target.unit}".rstrip()
    what = comment_safe(f"{target.name} in {unit}")
    return f"""
/* {what}: {name}_target[output[0] + 128]. */
extern const int32_t {name}_target[256];
"""


def target_array(target: Target, output: Quantization, name: str) -> str:
    """For the source: what each code of the output stands for, in whole counts.

    Raises:
        ScratchmlError: they do not fit in 32 bits.
    """
    codes = np.arange(-128, 128).astype(np.int8)
    counts = np.rint(target.real(output.real(codes)) * target.resolution)
    if not (np.abs(counts) < 2**31).all():
        raise ScratchmlError(f"{target.name} in 1/{target.resolution} does not fit in 32 bits")
    return array("int32_t", f"{name}_target", counts.astype(np.int64)).removeprefix("static ")


def classes_declaration(classes: tuple[str, ...], name: str) -> str:
    """For the header."""
    return f"\n/* Names of the classes, in order. */\nextern {_classes(classes, name)};\n"


def classes_array(classes: tuple[str, ...], name: str) -> str:
    """For the source."""
    lines = "".join(f"    {c_string(text)},\n" for text in classes)
    return f"{_classes(classes, name)} = {{\n{lines}}};\n"


def _classes(classes: tuple[str, ...], name: str) -> str:
    return f"const char *const {name}_classes[{len(classes)}]"


def c_string(text: str) -> str:
    """A literal in C, as UTF-8; what is not plain ASCII is in octal digits, three each."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')  # two question marks begin a trigraph
    return (
        '"'
        + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in printable(text).encode())
        + '"'
    )
