"""Shallow against deep: what each further layer of learning is worth on handwritten digits.

Six classifiers learn from the same images and are asked about the same 10,000 others:

1. Threshold units and 2. a linear classifier see pixels, and weigh each of them.
3. A kernel SVM compares a digit with those that it has kept, by the distance of their pixels.
4. Features made by hand, histograms of oriented gradients (HOG), say what strokes are where; a
   linear classifier weighs them.
5. A network with two hidden layers learns its features, from pixels without a neighbourhood.
6. A convolutional network learns them too, and uses each in all places.

The SVM is shown the first 10,000 images only, unless told otherwise: its time grows with the square
of their number. Run it::

    python examples/10_shallow_and_deep.py             # draws out/10_shallow_and_deep.png
    python examples/10_shallow_and_deep.py --images 5000
    python examples/10_shallow_and_deep.py --svm-images 60000
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.svm import SVC

from bital import keras
from bital.datasets import mnist
from bital.sklearn import Perceptron

layers = keras.layers


class Result(NamedTuple):
    """One line of the table."""

    name: str
    images: int
    accuracy: float
    numbers: int  # that were learned, or kept
    fit_seconds: float  # of processor time, with what is prepared
    answer_seconds: float  # for all test images


# ---------------------------------------------------------------- features made by hand
def hog(images: np.ndarray, cell: int = 4, bins: int = 9) -> np.ndarray:
    """Histograms of oriented gradients: ``(n, 28, 28) -> (n, 1296)``.

    After Dalal and Triggs, "Histograms of oriented gradients for human detection", 2005. Each pixel
    votes for the direction in which the image changes there, as strongly as it changes, in the
    histogram of its cell of 4 x 4 pixels. Four neighbouring cells make a block of length one.
    """
    down, right = np.gradient(images, axis=(1, 2))
    strength = np.hypot(down, right)
    angle = np.arctan2(down, right) * bins / np.pi  # in bins: half a turn is the same line
    cells = images.shape[1] // cell
    votes = np.empty((len(images), cells, cells, bins), images.dtype)
    for i in range(bins):
        away = np.abs((angle - i + bins / 2) % bins - bins / 2)  # round the circle of bins
        share = strength * np.maximum(0, 1 - away)  # between two bins, both get their part
        votes[..., i] = share.reshape(-1, cells, cell, cells, cell).sum(axis=(2, 4))
    blocks = np.concatenate(
        [votes[:, :-1, :-1], votes[:, :-1, 1:], votes[:, 1:, :-1], votes[:, 1:, 1:]], axis=-1
    )
    for _ in range(2):  # no cell may have it all: cut at 0.2, and again to length one
        length = np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + 1e-4)
        blocks = np.minimum(blocks / length, 0.2)
    return (blocks / 0.2).reshape(len(images), -1)


def hog_of_all(images: np.ndarray) -> np.ndarray:
    """The same, a thousand images at a time."""
    return np.concatenate([hog(images[i : i + 1000]) for i in range(0, len(images), 1000)])


# ---------------------------------------------------------------- networks
def hidden_layers() -> list:
    """Two layers of rectified units."""
    return [
        layers.Dense(300, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(100, activation="relu"),
        layers.Dropout(0.2),
    ]


def convolutions() -> list:
    """Kernels of 5 x 5 pixels, twice, and what they found anywhere near."""
    return [
        layers.Reshape((28, 28, 1)),
        layers.Conv2D(16, 5, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(32, 5, use_bias=False),
        layers.MaxPooling2D(2),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
        layers.Flatten(),
        layers.Dropout(0.4),
    ]


class Network:
    """Layers with a softmax on top, which fits and scores as scikit-learn's estimators do."""

    def __init__(self, make: Callable[[], list], epochs: int, rate: float = 0.005):
        self.make, self.epochs, self.rate = make, epochs, rate

    def fit(self, x, y):
        """Adam with a learning rate that rises and falls, batches of 64."""
        keras.utils.set_random_seed(0)
        top = layers.Dense(10, activation="softmax")
        self.model = keras.Sequential([keras.Input(x.shape[1:]), *self.make(), top])
        steps = self.epochs * -(-len(x) // 64)
        rate = keras.optimizers.schedules.OneCycle(self.rate, total_steps=steps)
        self.model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        self.model.fit(x, y, batch_size=64, epochs=self.epochs, verbose=0)
        return self

    def predict(self, x):
        """The likeliest digit of each image."""
        return self.model.predict(x, verbose=0).argmax(axis=1)


def learned(estimator) -> int:
    """How many numbers the answer is computed from."""
    if isinstance(estimator, Network):
        return estimator.model.count_params()
    if isinstance(estimator, SVC):
        return estimator.support_vectors_.size + estimator.dual_coef_.size
    return estimator.coef_.size + estimator.intercept_.size


# ---------------------------------------------------------------- the comparison
def as_they_are(x):
    """Pixels as rows."""
    return x


def hog_of_rows(x):
    """Features made by hand, of rows of pixels."""
    return hog_of_all(x.reshape(-1, 28, 28))


def contestants(epochs: int) -> list[tuple]:
    """Name, what is done to the images first, and what learns."""
    return [
        ("threshold units", as_they_are, Perceptron()),
        ("linear classifier", as_they_are, Network(list, epochs)),
        ("kernel SVM", as_they_are, SVC(C=5, gamma=0.03, cache_size=1000)),
        ("HOG, linear classifier", hog_of_rows, Network(list, epochs)),
        ("784-300-100-10 network", as_they_are, Network(hidden_layers, epochs, rate=0.003)),
        ("convolutional network", as_they_are, Network(convolutions, epochs)),
    ]


def measure(name, prepare, estimator, train, test) -> Result:
    """Prepare, fit and predict."""
    start = time.process_time()
    estimator.fit(prepare(train[0]), train[1])
    fitted = time.process_time()
    right = estimator.predict(prepare(test[0])) == test[1]
    end = time.process_time()
    numbers = learned(estimator)
    return Result(name, len(train[1]), right.mean(), numbers, fitted - start, end - fitted)


def draw(results: list[Result], image: np.ndarray, file: Path) -> None:
    """Draw errors against training time, and a digit as HOG sees it."""
    import matplotlib

    matplotlib.use("Agg")  # draw into a file, no window needed
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10.4, 4.4), layout="constrained", width_ratios=(1.5, 1)
    )
    for result in results:
        error = 100 * (1 - result.accuracy)
        left.loglog(result.fit_seconds, error, "o", ms=8)
        left.annotate(
            result.name,
            (result.fit_seconds, error),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
        )
    left.margins(x=0.7, y=0.15)
    left.set_yticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    left.minorticks_off()
    left.set(
        title="Wrong answers on 10,000 test images", xlabel="processor seconds to learn", ylabel="%"
    )
    left.grid(alpha=0.25)

    blocks = hog(image[np.newaxis]).reshape(6, 6, 4, 9)
    right.imshow(image, cmap="gray_r", alpha=0.45, extent=(0, 7, 7, 0))
    turns = np.arange(9) * np.pi / 9
    for row, column in np.ndindex(6, 6):
        for strength, turn in zip(blocks[row, column, 0], turns, strict=True):
            x, y = -0.45 * strength * np.sin(turn), 0.45 * strength * np.cos(turn)  # the edge
            right.plot(
                [column + 0.5 - x, column + 0.5 + x],
                [row + 0.5 - y, row + 0.5 + y],
                color="#cc3311",
                lw=1.2,
            )
    right.set(title="A digit and its oriented gradients")
    right.axis("off")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    """Measure all six, print the table, and draw."""
    parser = argparse.ArgumentParser(description="Shallow against deep on MNIST.")
    parser.add_argument("--out", type=Path, default=Path("out/10_shallow_and_deep.png"))
    parser.add_argument(
        "--images", type=int, default=60000, help="use the first of the training set"
    )
    parser.add_argument("--epochs", type=int, default=10, help="of the networks")
    parser.add_argument("--svm-images", type=int, default=10000, help="for the SVM, of those")
    options = parser.parse_args()

    train, test = mnist.load_mnist()
    print("| classifier | images | accuracy | numbers learned | fit, s | 10,000 answers, s |")
    print("|---|---|---|---|---|---|")
    results = []
    for name, prepare, estimator in contestants(options.epochs):
        count = options.images
        if isinstance(estimator, SVC):
            count = min(count, options.svm_images)
        seen = train[0][:count], train[1][:count]
        result = measure(name, prepare, estimator, seen, test)
        results.append(result)
        print(
            f"| {name} | {result.images:,} | {result.accuracy:.2%} | {result.numbers:,} "
            f"| {result.fit_seconds:.1f} | {result.answer_seconds:.2f} |",
            flush=True,
        )
    draw(results, test[0][0].reshape(28, 28), options.out)
    print(f"\nDrawn: {options.out}")


if __name__ == "__main__":
    main()
