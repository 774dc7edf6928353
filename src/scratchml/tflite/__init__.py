"""An int8 perceptron as a ``.tflite`` file, written and read.

The file is a FlatBuffer (identifier ``TFL3``, schema version 3) that TensorFlow Lite Micro, LiteRT
and Netron open. What the format has no place for, such as the features' names and scaling and the
decision threshold, is JSON in a metadata buffer named ``scratchml``.
"""

from scratchml.tflite.reader import File, from_bytes, read
from scratchml.tflite.writer import to_bytes

__all__ = ["File", "from_bytes", "read", "to_bytes"]
