from setuptools import setup

setup(cffi_modules=["src/scratchml/_engine_build.py:ffibuilder"])
