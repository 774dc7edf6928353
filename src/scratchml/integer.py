"""The integer arithmetic in numpy: the executable specification of docs/arithmetic.md.

Nothing here is a float, and nothing here knows the C engine: two implementations of one page check
each other, and both are checked against TensorFlow Lite Micro. The functions of Q-format numbers
are those of gemmlowp's ``fixedpoint.h``. Values are held in int64; each comment's width is the one
that C needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.signedinteger[Any]]
Int8 = npt.NDArray[np.int8]

INT32_MAX = 2**31 - 1


def rounding_high_multiply(a: Ints | int, b: Ints | int) -> Ints:
    """``a * b / 2^31`` rounded to nearest, ties upwards; Q0.31 times Qm.n gives Qm.n."""
    return np.asarray((np.asarray(a, np.int64) * b + 2**30) >> 31)


def rounding_shift_right(value: Ints, exponent: Ints | int) -> Ints:
    """``value / 2^exponent`` rounded to nearest, ties away from zero; exponent 0 to 31."""
    mask = (np.int64(1) << np.asarray(exponent, np.int64)) - 1
    threshold = (mask >> 1) + (value < 0)
    return np.asarray((value >> exponent) + ((value & mask) > threshold))


def requantize(value: Ints, multiplier: Ints | int, shift: Ints | int) -> Ints:
    """``value * multiplier / 2^31 * 2^shift``, rounded twice as gemmlowp does.

    Shapes broadcast. ``value << max(shift, 0)`` must fit in int32: see ``check_accumulators``.
    """
    left, right = np.maximum(shift, 0), np.maximum(-np.asarray(shift, np.int64), 0)
    shifted = np.asarray(value, np.int64) << left
    return rounding_shift_right(rounding_high_multiply(shifted, multiplier), right)


def dense(
    x: Int8,
    weights: Int8,
    bias: npt.NDArray[np.int32],
    multiplier: npt.NDArray[np.int32],
    shift: npt.NDArray[np.int8],
    zero_point: int,
    act_min: int,
    act_max: int,
) -> Int8:
    """A fully connected layer, ``x[n, inputs]`` to ``[n, outputs]``.

    ``weights[outputs, inputs]``; the others ``[outputs]``; the input's zero point is in the bias.
    """
    accumulator = x.astype(np.int32) @ weights.T.astype(np.int32) + bias
    code = requantize(accumulator, multiplier, shift) + zero_point
    return np.clip(code, act_min, act_max).astype(np.int8)


def prepare_input(
    counts: npt.NDArray[np.int32],
    mean: Ints,
    low: Ints,
    high: Ints,
    multiplier: Ints,
    shift: Ints,
    zero_point: int,
) -> Int8:
    """Sensor counts ``[n, inputs]`` to int8 codes of the same shape; the others ``[inputs]``."""
    difference = np.clip(counts.astype(np.int64), low, high) - mean
    code = requantize(difference, multiplier, shift) + zero_point
    return np.clip(code, -128, 127).astype(np.int8)


def look_up(x: Int8, table: Int8) -> Int8:
    """A function of one code, as a table of 256 indexed by ``code + 128``; same shape as ``x``."""
    return table[x.astype(np.intp) + 128]


def logistic_table(zero_point: int, multiplier: int, shift: int) -> Int8:
    """The sigmoid of every int8 code, ``[256]``, indexed by ``code + 128``.

    ``multiplier`` and ``shift`` turn ``code - zero_point`` into Q4.27; ``shift`` is 0 or more.
    The output has scale 1/256 and zero point -128. Beyond the radius, where Q4.27 would overflow,
    the result is the least or the greatest code.
    """
    value = np.arange(-128, 128) - zero_point
    radius = (15 << 27) >> shift
    inside = np.abs(value) < radius
    q4_27 = requantize(np.where(inside, value, 0), multiplier, shift)
    code = rounding_shift_right(_logistic(q4_27), 23) - 128
    code = np.where(inside, np.clip(code, -128, 127), np.where(value > 0, 127, -128))
    # a radius of 0 (an enormous scale) leaves the code of zero itself outside: -128 comes first
    return code.astype(np.int8)


def exp_table(multiplier: int, shift: int) -> Ints:
    """``exp(-d)`` in Q0.31 for differences of ``d`` codes, ``[256]``.

    ``multiplier`` and ``shift`` turn codes into Q5.26; ``shift`` is 0 or more. Beyond 31, near the
    end of Q5.26, the result is 0.
    """
    d = np.arange(256)
    inside = d <= (31 << 26) >> shift
    q5_26 = rounding_high_multiply(np.where(inside, -d, 0) << shift, multiplier)
    return np.where(inside, _exp_on_negative(q5_26, integer_bits=5), 0)


def softmax(x: Int8, table: npt.NDArray[np.int32]) -> Int8:
    """``x[n, classes]`` to probabilities of scale 1/256 and zero point -128, same shape.

    ``table`` is ``exp_table``'s. With at most 511 classes the sum has 12 integer bits (Q12.19) and
    at least 4 leading zeros.
    """
    exponentials = table[x.max(axis=1, keepdims=True).astype(np.intp) - x].astype(np.int64)
    total = rounding_shift_right(exponentials, 12).sum(axis=1, keepdims=True)
    zeros = (total < 1 << np.arange(32)).sum(axis=1, keepdims=True)  # leading ones, of 32 bits
    reciprocal = one_over_one_plus((total << zeros) - 2**31)  # Q0.31, of the normalized sum
    product = rounding_high_multiply(reciprocal, exponentials)
    code = rounding_shift_right(product, 35 - zeros) - 128
    return np.minimum(code, 127).astype(np.int8)


def _logistic(a: Ints) -> Ints:
    """``1 / (1 + exp(-a))``, Q4.27 to Q0.31."""
    positive = one_over_one_plus(_exp_on_negative(-np.abs(a)))
    result = np.where(a > 0, positive, INT32_MAX - positive)
    return np.where(a == 0, 2**30, result)


def _exp_on_negative(a: Ints, integer_bits: int = 4) -> Ints:
    """``exp(a)`` for ``a <= 0``, Q4.27 (with 4 integer bits) to Q0.31.

    A quarter at most is left to a polynomial; every bit above it, 2^-2 to 2^3 here, multiplies
    the result by ``exp(-2^exponent)``.
    """
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    rest = (a & (quarter - 1)) - quarter
    result = _exp_on_last_quarter(rest << integer_bits)
    remainder = rest - a
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, factor in enumerate(factors, start=-2):  # factor = exp(-2^exponent) in Q0.31
        if exponent < integer_bits:
            has_bit = remainder & (1 << (fraction_bits + exponent)) != 0
            result = np.where(has_bit, rounding_high_multiply(result, factor), result)
    return np.where(a == 0, INT32_MAX, result)


def _exp_on_last_quarter(a: Ints) -> Ints:
    """``exp(a)`` for ``-1/4 <= a < 0``, Q0.31: Taylor's series around -1/8 to the fourth power."""
    exp_minus_eighth, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = rounding_high_multiply(x, x)
    x3 = rounding_high_multiply(x2, x)
    x4_over_4 = rounding_shift_right(rounding_high_multiply(x2, x2), 2)
    tail = rounding_shift_right(rounding_high_multiply(x4_over_4 + x3, third) + x2, 1)
    return np.asarray(exp_minus_eighth + rounding_high_multiply(x + tail, exp_minus_eighth))


def one_over_one_plus(a: Ints) -> Ints:
    """``1 / (1 + a)`` for ``0 <= a <= 1``, Q0.31: three Newton steps from 48/17 - 32/17 d."""
    half_denominator = (a + INT32_MAX + 1) >> 1
    x = 1515870810 + rounding_high_multiply(half_denominator, -1010580540)  # Q2.29
    for _ in range(3):
        error = (1 << 29) - rounding_high_multiply(half_denominator, x)
        x = x + (rounding_high_multiply(x, error) << 2)
    return np.asarray(np.minimum(x << 1, INT32_MAX))
