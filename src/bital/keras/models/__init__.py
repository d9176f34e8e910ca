"""Models: layers that can be trained, measured and saved."""

from bital.keras.models.cloning import clone_model
from bital.keras.models.functional import Functional
from bital.keras.models.model import Model
from bital.keras.models.sequential import Sequential
from bital.keras.saving import load_model

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model"]
