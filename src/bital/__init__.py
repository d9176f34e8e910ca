"""bital: a deep-learning framework whose language is NumPy."""

__version__ = "0.1.0"
