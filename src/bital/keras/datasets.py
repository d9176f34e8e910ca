"""Keras's name for `bital.datasets`, so that ``from bital.keras.datasets import mnist`` works."""

from bital.datasets import circles, mnist, moons, spirals, xor

__all__ = ["circles", "mnist", "moons", "spirals", "xor"]
