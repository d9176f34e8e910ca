"""scikit-learn's vocabulary on bital: estimators that its users can drop in.

>>> from bital.sklearn import Perceptron
>>> Perceptron().fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 1]).predict([[1, 1]])
array([1])
"""

from bital.sklearn.perceptron import Perceptron

__all__ = ["Perceptron"]
