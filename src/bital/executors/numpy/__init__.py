"""The ``numpy`` executor: prints a Program as NumPy source, then compiles and runs that text."""

from bital.executors.numpy.executor import executor as executor
from bital.executors.numpy.executor import to_numpy as to_numpy
