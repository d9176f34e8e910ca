"""The table of metrics: a row for each, and for each way of making it that matters.

See ``keras_losses``; targets and outputs are of its kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MetricRow:
    """A metric, how to make it, and the kinds of targets and outputs that it compares.

    Attributes
    ----------
    name : str
    make : callable
        ``make(k)`` is the metric, where ``k`` is ``bital.keras`` or Keras itself.
    targets, outputs : str
        Keys of ``keras_losses.KINDS``.
    whole : bool
        Whether Keras takes whole sample weights only.
    peer : bool
        Whether Keras has it.
    """

    name: str
    make: Callable[[Any], Any]
    targets: str
    outputs: str
    whole: bool = False
    peer: bool = True

    def __str__(self) -> str:
        return self.name


_M = MetricRow
_BEST = "SensitivityAtSpecificity SpecificityAtSensitivity PrecisionAtRecall RecallAtPrecision"
ROWS = [
    _M("accuracy", lambda k: k.metrics.Accuracy(), "binary", "binary"),
    _M("binary accuracy", lambda k: k.metrics.BinaryAccuracy(threshold=0.3), "binary", "units"),
    _M("categorical accuracy", lambda k: k.metrics.CategoricalAccuracy(), "one-hot", "logits"),
    _M("sparse accuracy", lambda k: k.metrics.SparseCategoricalAccuracy(), "labels", "logits"),
    _M(
        "sparse accuracy, steps",
        lambda k: k.metrics.SparseCategoricalAccuracy(),
        "labels of steps",
        "logits of steps",
    ),
    _M("top 2", lambda k: k.metrics.TopKCategoricalAccuracy(k=2), "one-hot", "logits"),
    _M("sparse top 2", lambda k: k.metrics.SparseTopKCategoricalAccuracy(k=2), "labels", "logits"),
    _M("mse", lambda k: k.metrics.MeanSquaredError(), "numbers", "logits"),
    _M("rmse", lambda k: k.metrics.RootMeanSquaredError(), "numbers", "logits"),
    _M("mae", lambda k: k.metrics.MeanAbsoluteError(), "numbers", "logits"),
    _M("mape", lambda k: k.metrics.MeanAbsolutePercentageError(), "positive", "logits"),
    _M("msle", lambda k: k.metrics.MeanSquaredLogarithmicError(), "positive", "units"),
    _M("log cosh", lambda k: k.metrics.LogCoshError(), "numbers", "logits"),
    _M("cosine", lambda k: k.metrics.CosineSimilarity(), "numbers", "logits"),
    _M("hinge", lambda k: k.metrics.Hinge(), "signs", "logits"),
    _M("squared hinge", lambda k: k.metrics.SquaredHinge(), "signs", "logits"),
    _M("categorical hinge", lambda k: k.metrics.CategoricalHinge(), "one-hot", "logits"),
    _M("kl divergence", lambda k: k.metrics.KLDivergence(), "shares", "units"),
    _M("poisson", lambda k: k.metrics.Poisson(), "counts", "positive"),
    _M(
        "binary crossentropy",
        lambda k: k.metrics.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
        "binary",
        "logits",
    ),
    _M(
        "categorical crossentropy",
        lambda k: k.metrics.CategoricalCrossentropy(label_smoothing=0.1),
        "one-hot",
        "shares",
    ),
    _M(
        "sparse crossentropy",
        lambda k: k.metrics.SparseCategoricalCrossentropy(from_logits=True),
        "labels",
        "logits",
    ),
    _M("pearson", lambda k: k.metrics.PearsonCorrelation(), "numbers", "logits"),
    _M("concordance", lambda k: k.metrics.ConcordanceCorrelation(), "numbers", "positive"),
    _M("r2", lambda k: k.metrics.R2Score(), "numbers", "logits"),
    _M(
        "r2, by variance",
        lambda k: k.metrics.R2Score(class_aggregation="variance_weighted_average"),
        "numbers",
        "logits",
    ),
    _M(
        "r2, each, adjusted",
        lambda k: k.metrics.R2Score(class_aggregation=None, num_regressors=2),
        "numbers",
        "logits",
    ),
    _M("true positives", lambda k: k.metrics.TruePositives(), "binary", "units"),
    _M(
        "true negatives, thresholds",
        lambda k: k.metrics.TrueNegatives(thresholds=[0.7, 0.2]),
        "binary",
        "units",
    ),
    _M("false positives", lambda k: k.metrics.FalsePositives(thresholds=0.3), "binary", "units"),
    _M(
        "false negatives, even thresholds",
        lambda k: k.metrics.FalseNegatives(thresholds=[0.0, 0.25, 0.5, 0.75, 1.0]),
        "binary",
        "units",
    ),
    _M("precision", lambda k: k.metrics.Precision(), "binary", "units"),
    _M("precision, top 2", lambda k: k.metrics.Precision(top_k=2), "one-hot", "shares"),
    _M(
        "precision, top 2 above a threshold",
        lambda k: k.metrics.Precision(thresholds=0.3, top_k=2),
        "one-hot",
        "shares",
    ),
    _M("precision, class", lambda k: k.metrics.Precision(class_id=1), "binary", "units"),
    _M("recall", lambda k: k.metrics.Recall(thresholds=[0.6, 0.3]), "binary", "units"),
    _M("recall, one output", lambda k: k.metrics.Recall(), "bits", "unit"),
    _M(
        "recall, top 1 of a class",
        lambda k: k.metrics.Recall(top_k=1, class_id=2),
        "one-hot",
        "shares",
    ),
    *(
        _M(name, lambda k, name=name: getattr(k.metrics, name)(0.6), "binary", "units")
        for name in _BEST.split()
    ),
    _M(
        "specificity, few thresholds",
        lambda k: k.metrics.SpecificityAtSensitivity(0.5, num_thresholds=5, class_id=2),
        "binary",
        "units",
    ),
    *(
        _M(
            f"auc, {curve} {method}",
            lambda k, c=curve, m=method: k.metrics.AUC(curve=c, summation_method=m),
            "binary",
            "units",
        )
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "minoring", "majoring")
    ),
    _M("auc, thresholds", lambda k: k.metrics.AUC(thresholds=[0.7, 0.1, 0.4]), "bits", "unit"),
    _M("auc, logits", lambda k: k.metrics.AUC(from_logits=True), "binary", "logits"),
    _M("auc, labels", lambda k: k.metrics.AUC(multi_label=True, num_labels=4), "binary", "units"),
    _M(
        "auc, weighted labels",
        lambda k: k.metrics.AUC(
            curve="PR", multi_label=True, num_labels=4, label_weights=[1.0, 2.0, 0.0, 0.5]
        ),
        "binary",
        "units",
    ),
    _M("f1", lambda k: k.metrics.F1Score(), "one-hot", "shares"),
    _M("f1, macro", lambda k: k.metrics.F1Score(average="macro", threshold=0.4), "binary", "units"),
    _M(
        "f beta, micro",
        lambda k: k.metrics.FBetaScore(average="micro", beta=2.0, threshold=0.5),
        "binary",
        "units",
    ),
    _M(
        "f beta, weighted",
        lambda k: k.metrics.FBetaScore(average="weighted", beta=0.5),
        "one-hot",
        "shares",
    ),
    _M(
        "iou",
        lambda k: k.metrics.IoU(num_classes=4, target_class_ids=[0, 2], sparse_y_pred=False),
        "labels",
        "shares",
        whole=True,
    ),
    _M(
        "mean iou, ignoring a class",
        lambda k: k.metrics.MeanIoU(num_classes=4, ignore_class=-1, sparse_y_pred=False),
        "labels or -1",
        "shares",
        whole=True,
    ),
    _M("binary iou", lambda k: k.metrics.BinaryIoU([1], threshold=0.4), "bits", "unit", whole=True),
    _M(
        "one-hot iou",
        lambda k: k.metrics.OneHotIoU(num_classes=4, target_class_ids=[1, 3]),
        "one-hot",
        "shares",
        whole=True,
    ),
    _M(
        "one-hot mean iou",
        lambda k: k.metrics.OneHotMeanIoU(num_classes=4),
        "one-hot",
        "shares",
        whole=True,
    ),
    _M(
        "mean relative error",
        lambda k: k.metrics.MeanRelativeError([1.0, 2.0, 0.0, 4.0]),
        "numbers",
        "logits",
        peer=False,
    ),
]
