"""Estimators for scikit-learn's users: networks that fit, predict and tune as all others do.

>>> from bital.sklearn import DNNClassifier
>>> from sklearn.datasets import load_iris
>>> X, y = load_iris(return_X_y=True)
>>> model = DNNClassifier(hidden_units=(20,), learning_rate_init=0.01, random_state=0)
>>> bool(model.fit(X, y).score(X, y) > 0.95)
True
"""

from bital.errors import MissingExtraError

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:
    raise MissingExtraError(
        "bital.sklearn needs scikit-learn: pip install 'bital[sklearn]'"
    ) from error

from bital.sklearn.classifier import DNNClassifier
from bital.sklearn.many import cross_val_scores, fit_many
from bital.sklearn.perceptron import Perceptron
from bital.sklearn.regressor import DNNRegressor
from bital.sklearn.saving import load

__all__ = [
    "DNNClassifier",
    "DNNRegressor",
    "Perceptron",
    "cross_val_scores",
    "fit_many",
    "load",
]
