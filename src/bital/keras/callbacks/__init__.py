"""Callbacks: code that runs between training steps, under Keras's names.

A callback sees the model whole: weights and optimizer state are those after the last full step.
``on_train_end`` is called however training ends, by an error or Ctrl-C too.
"""

from bital.keras.callbacks.backup import BackupAndRestore
from bital.keras.callbacks.base import Callback, CallbackList, History, LambdaCallback
from bital.keras.callbacks.csv_logger import CSVLogger
from bital.keras.callbacks.errors import RemoteMonitor, TerminateOnNaN
from bital.keras.callbacks.finding import LearningRates, find_learning_rate
from bital.keras.callbacks.json_logger import JSONLogger
from bital.keras.callbacks.monitoring import EarlyStopping, ModelCheckpoint
from bital.keras.callbacks.rates import LearningRateScheduler, ReduceLROnPlateau, SwapEMAWeights
from bital.keras.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "JSONLogger",
    "LambdaCallback",
    "LearningRateScheduler",
    "LearningRates",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
    "find_learning_rate",
]
