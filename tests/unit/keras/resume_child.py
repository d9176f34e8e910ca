"""Trainings that are killed; driven by test_resume_killed.py.

Reads lines ``executor folder result`` and starts a training for each, in a process of its own that
is forked before anything has run, so that importing is paid once. It prints the number of the
process, and then, from that process, a line when the first batch is done.
"""

import json
import os
import signal
import sys
import time

import numpy as np

import bital
from bital import keras
from bital.keras import layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 6)).astype(np.float32)
Y = (X @ RNG.normal(size=(6, 3))).argmax(axis=1)
WEIGHTS = RNG.random(150)
EPOCHS = 40


class Slowly(keras.callbacks.Callback):
    """Takes its time after each batch, and tells of the first."""

    def __init__(self):
        self.told = False

    def on_train_batch_end(self, batch, logs=None):
        if not self.told:
            os.write(1, b"training\n")
            self.told = True
        time.sleep(0.003)


def fourth_power(y, p):
    return np.mean((bital.nn.one_hot(y, 3) - p) ** 4, axis=-1)


def model(executor):
    keras.utils.set_random_seed(int(time.time() * 1e6) % 2**32)  # what resuming must put right
    layer = [
        layers.Input((6,)),
        layers.Dense(16, activation="tanh"),
        layers.Dropout(0.3),
        layers.BatchNormalization(),
        layers.GaussianNoise(0.1),
        layers.Dense(3, activation="softmax"),
    ]
    made = keras.Sequential(layer)
    rate = keras.optimizers.schedules.CosineDecay(0.01, 400)
    optimizer = keras.optimizers.Adam(rate, use_ema=True, gradient_accumulation_steps=2)
    made.compile(
        optimizer,
        "sparse_categorical_crossentropy",
        metrics=["accuracy", fourth_power],
        executor=executor,
    )
    return made


def train(executor, folder, result):
    trained = model(executor)
    weights = np.random.default_rng(1)
    # The same first weights in each process, for the run without a folder to compare with.
    trained.set_weights([weights.normal(size=w.shape) ** 2 for w in trained.get_weights()])
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=30, restore_best_weights=True
    )
    kept = keras.checkpoints.Checkpoints(folder, steps=1, monitor="val_accuracy")
    history = trained.fit(
        X,
        Y,
        batch_size=16,
        epochs=EPOCHS,
        verbose=0,
        sample_weight=WEIGHTS,
        validation_split=0.2,
        seed=7,
        callbacks=[stopping, Slowly()],
        resume=None if folder == "-" else kept,
    )
    state = bital.tree.leaves((trained.get_weights(), trained.optimizer.state))
    told = {
        "bits": [np.asarray(leaf).tobytes().hex() for leaf in state],
        "history": history.history,
        "epoch": history.epoch,
        "best": [stopping.best, stopping.best_epoch, stopping.wait],
        "iterations": trained.optimizer.iterations,
    }
    with open(result + ".part", "w") as file:
        json.dump(told, file)
    os.replace(result + ".part", result)


def main():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        number = os.fork()
        if number == 0:
            try:
                train(*line.split())
            except BaseException as error:
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(0)
        print(number, flush=True)


if __name__ == "__main__":
    main()
