"""Models: layers that can be trained, measured and saved."""

from bital.keras.models.sequential import Sequential
from bital.keras.saving import load_model

__all__ = ["Sequential", "load_model"]
