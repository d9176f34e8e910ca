"""Data that needs no download.

``mnist``
    The whole MNIST database of handwritten digits, inside the package.
``xor``, ``spirals``, ``moons``, ``circles``
    Small two-dimensional problems, made from a formula and a seed.

>>> from bital import datasets
>>> x, y = datasets.xor()
>>> x.tolist(), y.tolist()
([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
"""

from bital.datasets import mnist
from bital.datasets.planar import circles, moons, spirals, xor

__all__ = ["circles", "mnist", "moons", "spirals", "xor"]
