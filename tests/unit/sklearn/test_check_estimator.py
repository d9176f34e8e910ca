"""scikit-learn's own checks of its contract: all of them, with none expected to fail."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from bital.sklearn import DNNClassifier, DNNRegressor

ESTIMATORS = [
    DNNClassifier(),
    DNNRegressor(),
    DNNClassifier(solver="lbfgs", alpha=0.01),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the checks train on all sorts of data, and not to the end
@parametrize_with_checks(ESTIMATORS)
def test_contract(estimator, check):
    check(estimator)
