"""Enum values of TensorFlow's ``schema.fbs`` that writer and reader share; they never change."""

import numpy as np

IDENTIFIER = b"TFL3"
METADATA_NAME = "scratchml"

FULLY_CONNECTED, LOGISTIC = 9, 14  # BuiltinOperator
FULLY_CONNECTED_OPTIONS = 8  # BuiltinOptions
OPERATOR_VERSIONS = {FULLY_CONNECTED: 4, LOGISTIC: 2}  # the first that know int8
ACTIVATIONS = {0: False, 1: True}  # ActivationFunctionType NONE and RELU: is it a ReLU?
TENSOR_TYPES = {np.dtype("<f4"): 0, np.dtype("<i4"): 2, np.dtype("i1"): 9}  # TensorType
ALIGNMENT = 16  # of every buffer, as the schema asks
MAX_RANK = 8  # of a tensor; what TensorFlow Lite's own kernels go up to
