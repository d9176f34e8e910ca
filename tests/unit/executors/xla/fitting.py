"""A training that `test_fit_together` runs in processes: ``python fitting.py FOLDER VICTIM KIND``.

It prints its history as JSON. VICTIM is the number of the process that is killed in the third
epoch, or ``none``; KIND is ``cut`` if weights are to be cut over the devices, ``diverging`` if the
loss is to become NaN.
"""

import json
import os
import signal
import sys

import bital
from bital import keras
from bital.datasets import mnist

EPOCHS = 5


class Killed(keras.callbacks.Callback):
    """The end of one process, in the midst of an epoch."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2 and os.environ.get("JAX_PROCESS_ID") == self.number:
            os.kill(os.getpid(), signal.SIGKILL)


def fit(resume=None, victim="none", rate=0.2, **options):
    """Softmax regression on a few thousand digits."""
    keras.utils.set_random_seed(1)
    (x, y), _ = mnist.load_mnist()
    model = keras.Sequential([keras.layers.Dense(10, "softmax")])
    model.compile(
        keras.optimizers.SGD(rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        executor="xla",
    )
    model.fit(
        *(x[:2880], y[:2880]),
        batch_size=96,
        epochs=EPOCHS,
        seed=3,
        verbose=0,
        callbacks=[] if victim == "none" else [Killed(victim)],
        resume=keras.checkpoints.Checkpoints(resume, epochs=1) if resume else None,
        **options,
    )
    weights = [float(abs(each).sum()) for each in model.get_weights()]
    return {**model.history.history, "weights": weights}


if __name__ == "__main__":
    folder, victim, kind = sys.argv[1:]
    with bital.joined():
        given = {"devices": "all", "shard_weights": 1000 if kind == "cut" else False}
        given["rate"] = 1e38 if kind == "diverging" else 0.2
        print("history", json.dumps(fit(None if folder == "none" else folder, victim, **given)))
