"""What of TensorFlow 1 is left out, with what to write instead; and what changes nothing here."""

from __future__ import annotations

import contextlib
import logging as python_logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from bital.tf1.errors import UnimplementedError

__all__ = ["ConfigProto", "GPUOptions", "device", "logging"]

# Names, and why they are not there.
REASONS = {
    "py_func py_function numpy_function Assert assert_equal assert_less assert_greater": "Python "
    "does not run inside a compiled graph: write tf's operations, or do it between two runs",
    "Print print": "fetch the tensor, and print what sess.run returns",
    "RegisterGradient custom_gradient": "tf.stop_gradient(f(x) - g(x)) + g(x) has g's gradient",
    "hessians": "use bital.hessian on a NumPy function",
    "enable_eager_execution contrib.eager": "bital's own language is eager: NumPy, with bital.grad",
    "keras": "write `from bital import keras`",
    "app flags": "use argparse",
    "gfile": "use os and shutil",
    "test": "use pytest and numpy.testing",
    "data queue train.batch train.shuffle_batch train.start_queue_runners train.QueueRunner "
    "train.Coordinator train.string_input_producer FIFOQueue RandomShuffleQueue TextLineReader "
    "TFRecordReader WholeFileReader decode_csv decode_raw python_io read_file": "read with "
    "NumPy, and feed batches",
    "image summary.image summary.audio summary.text": "prepare images with NumPy, and feed them",
    "SparseTensor sparse_placeholder sparse_to_dense sparse nn.embedding_lookup_sparse": "tensors "
    "are dense: use tf.nn.embedding_lookup of indices, or tf.one_hot",
    "train.Server train.ClusterSpec train.replica_device_setter train.MonitoredTrainingSession "
    "train.Supervisor": "there is one process: use tf.Session",
    "nn.raw_rnn contrib.seq2seq": "use tf.nn.dynamic_rnn, or tf.scan with a function of your own",
    "nn.fused_batch_norm": "use tf.layers.batch_normalization",
    "nn.ctc_loss nn.conv3d nn.max_pool3d": "use bital.nn or bital.keras",
    "contrib.factorization contrib.tensor_forest": "use scikit-learn's KMeans or forests",
    "contrib.slim": "use tf.contrib.layers with arg_scope, or tf.layers",
    "losses.hinge_loss losses.cosine_distance": "write the formula, and "
    "tf.losses.compute_weighted_loss of it",
    "layers.Dense layers.Conv2D layers.Flatten layers.Dropout layers.BatchNormalization": "write "
    "the function, tf.layers.dense(x, units, name=..., reuse=...)",
    "case": "use tf.cond, or tf.where",
    "svd": "use np.linalg.svd under bital.jit",
    "saved_model": "use tf.train.Saver, and tf.train.import_meta_graph",
    "report_uninitialized_variables is_variable_initialized": "sess.run names what has no value",
}


def refuse(module: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module, which says why a name is left out."""
    prefix = f"{module}.".removeprefix("bital.tf1.")

    def __getattr__(name: str) -> Any:
        for names, reason in REASONS.items():
            if f"{prefix}{name}" in names.split():
                raise UnimplementedError(f"tf.{prefix}{name} is left out: {reason}.")
        raise AttributeError(f"bital.tf1 has no tf.{prefix}{name}; docs/tf1.md lists what it has")

    return __getattr__


class ConfigProto(SimpleNamespace):
    """Options of sessions, which are taken and not used."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"gpu_options": SimpleNamespace(), **options})


GPUOptions = SimpleNamespace


def device(name: Any) -> Any:
    """A with block; all runs on the processor."""
    return contextlib.nullcontext()


_log = python_logging.getLogger("bital.tf1")
logging = SimpleNamespace(set_verbosity=_log.setLevel, info=_log.info, warn=_log.warning)
logging.DEBUG, logging.INFO, logging.WARN, logging.ERROR, logging.FATAL = 10, 20, 30, 40, 50
