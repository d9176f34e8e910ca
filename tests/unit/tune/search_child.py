"""A search in a process of its own: arguments are the storage, the trials, the sampler."""

import sys

import numpy as np

from bital import keras, tune

SPACE = {"learning_rate": tune.Log(1e-4, 0.3), "units": [4, 8]}
x = np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32)
y = np.sin(x.sum(axis=1))


half = [(np.arange(45), np.arange(45, 90))]  # without scikit-learn: processes start sooner


class Lines(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(epoch, flush=True)


def build(learning_rate, units):
    parts = [keras.layers.Dense(units, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *parts])
    model.compile(keras.optimizers.SGD(learning_rate), "mse", executor="numpy")
    return model


def run(storage, n_trials, sampler, callbacks=(), **options):
    return tune.search(
        build,
        SPACE,
        x,
        y,
        n_trials=n_trials,
        sampler=sampler,
        storage=storage,
        cv=half,
        fit_params={"epochs": 10, "callbacks": callbacks},
        refit=False,
        **options,
    )


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]), sys.argv[3], [Lines()])
