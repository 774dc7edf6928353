from setuptools import setup

BUILD = "src/scratchml/_engine_build.py"
BUILDERS = ("engine_builder", "trace_builder", "m4_builder", "m0plus_builder")
setup(cffi_modules=[f"{BUILD}:{builder}" for builder in BUILDERS])
