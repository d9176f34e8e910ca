"""Estimators for scikit-learn's users: networks that fit, predict and tune as all others do.

>>> from bital.sklearn import DNNClassifier
>>> from sklearn.datasets import load_iris
>>> X, y = load_iris(return_X_y=True)
>>> DNNClassifier(hidden_units=(20,), random_state=0, max_iter=300, tol=0).fit(X, y).score(X, y)
0.98
"""

from bital.sklearn.classifier import DNNClassifier
from bital.sklearn.perceptron import Perceptron
from bital.sklearn.regressor import DNNRegressor
from bital.sklearn.saving import load

__all__ = ["DNNClassifier", "DNNRegressor", "Perceptron", "load"]
