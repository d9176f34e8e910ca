"""What of TensorFlow 1 is left out, with what to write instead; and what changes nothing here."""

from __future__ import annotations

import contextlib
import logging as python_logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from bital.tf1.errors import UnimplementedError

__all__ = ["ConfigProto", "GPUOptions", "device", "logging"]

_PYTHON = "Python does not run inside a compiled graph: "
_FEED = "there are no queues and files in the graph: read with NumPy, and feed batches"
_SPARSE = "tensors are dense: use tf.nn.embedding_lookup of indices, or tf.one_hot"
_IMAGES = "prepare images with NumPy or SciPy, and feed them"

# Names, and why they are not there.
REASONS = {
    "py_func py_function numpy_function": f"{_PYTHON}write the function with tf's operations, or "
    "compute it with NumPy between two runs and feed the result",
    "Print print": f"{_PYTHON}fetch the tensor, and print what sess.run returns",
    "Assert assert_equal assert_less assert_greater assert_positive assert_rank": f"{_PYTHON}fetch "
    "the tensor, and check what sess.run returns",
    "RegisterGradient custom_gradient": "gradients follow from the operations: use "
    "tf.stop_gradient(f(x) - g(x)) + g(x) to compute f with g's gradient, or bital.custom_vjp",
    "hessians": "use bital.hessian on a NumPy function",
    "enable_eager_execution contrib.eager": "bital's own language is eager: NumPy, with bital.grad",
    "keras": "write `from bital import keras`",
    "data queue train.batch train.shuffle_batch train.start_queue_runners train.QueueRunner "
    "train.Coordinator train.string_input_producer train.slice_input_producer FIFOQueue "
    "RandomShuffleQueue PaddingFIFOQueue QueueBase TextLineReader TFRecordReader WholeFileReader "
    "decode_csv decode_raw parse_single_example python_io read_file matching_files": _FEED,
    "image summary.image summary.audio summary.text": _IMAGES,
    "SparseTensor sparse_placeholder sparse_tensor_dense_matmul sparse_to_dense sparse "
    "nn.embedding_lookup_sparse": _SPARSE,
    "train.Server train.ClusterSpec train.SyncReplicasOptimizer train.replica_device_setter "
    "train.MonitoredTrainingSession train.Supervisor": "there is one process: use tf.Session",
    "nn.raw_rnn contrib.seq2seq": "use tf.nn.dynamic_rnn, or tf.scan with a function of your own",
    "nn.fused_batch_norm": "use tf.nn.moments and tf.nn.batch_normalization, or tf.layers",
    "nn.ctc_loss": "use bital.nn.ctc, or the CTC loss of bital.keras",
    "nn.conv3d nn.max_pool3d nn.avg_pool3d nn.max_pool_with_argmax": "use bital.nn or bital.keras",
    "contrib.factorization contrib.tensor_forest": "use scikit-learn's KMeans or forests",
    "contrib.slim": "use tf.contrib.layers with arg_scope, or tf.layers",
    "string_join string_split substr regex_replace": "prepare texts in Python, and feed them",
    "saved_model": "use tf.train.Saver, and tf.train.import_meta_graph",
    "load_op_library contrib.tensorrt tpu contrib.tpu": "there is nothing to load",
    "variable_axis_size_partitioner fixed_size_partitioner": "variables are kept whole",
    "report_uninitialized_variables is_variable_initialized": "run the initializer: sess.run names "
    "a variable that has no value",
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
