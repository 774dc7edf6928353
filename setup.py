from setuptools import setup

BUILD = "src/scratchml/_engine_build.py"
setup(cffi_modules=[f"{BUILD}:engine_builder", f"{BUILD}:trace_builder"])
