"""A convolutional network on handwritten digits, and what its first layer has learned to see.

The images keep their shape, and a kernel of 5 x 5 weights slides over them: what it has learned in
one place it knows in all. Run it::

    python examples/08_convolutional_network.py        # draws out/08_convolutional_network.png
    python examples/08_convolutional_network.py --images 60000 --epochs 8
"""

import argparse
from pathlib import Path

import numpy as np

from bital import keras
from bital.datasets import mnist

layers = keras.layers


def build(steps: int, seed: int = 0):
    """28 x 28 gray values -> 12 maps of 24 x 24 -> 24 maps of 4 x 4 -> 10 probabilities."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),  # the last axis is that of the channels: one, gray
            layers.Conv2D(12, 5, activation="relu", name="edges"),
            layers.MaxPooling2D(2),
            layers.Conv2D(24, 5, use_bias=False, name="parts"),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("relu"),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(10, activation="softmax", name="digits"),
        ]
    )
    rate = keras.optimizers.schedules.OneCycle(0.005, total_steps=steps)
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def draw(model, image: np.ndarray, history: dict[str, list[float]], file: Path) -> None:
    """Draw the kernels of the first layer, what each answers to one image, and the accuracy."""
    import matplotlib

    matplotlib.use("Agg")  # draw into a file, no window needed
    import matplotlib.pyplot as plt

    first = model.get_layer("edges")
    kernels = np.moveaxis(np.asarray(first.kernel)[:, :, 0], -1, 0)  # (5, 5, 1, 12) -> (12, 5, 5)
    maps = np.moveaxis(first(image[np.newaxis])[0], -1, 0)  # a layer is a function of arrays
    largest = np.abs(kernels).max()

    figure = plt.figure(figsize=(11.0, 4.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(2, 1))
    panels = left.subplots(4, 6)
    for i, (kernel, answer) in enumerate(zip(kernels, maps, strict=True)):
        row, column = 2 * (i // 6), i % 6
        panels[row, column].imshow(kernel, cmap="RdBu", vmin=-largest, vmax=largest)
        panels[row + 1, column].imshow(answer, cmap="gray")
    for axes in panels.flat:
        axes.axis("off")
    left.suptitle("Twelve kernels (blue: wants ink), and below each what it makes of a digit")
    axes = right.subplots()
    epochs = range(1, len(history["accuracy"]) + 1)
    axes.plot(epochs, history["accuracy"], "o-", ms=4, color="#4477aa", label="training")
    axes.plot(epochs, history["val_accuracy"], "s-", ms=4, color="#cc6677", label="validation")
    axes.set(title="Accuracy", xlabel="epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    """Train, evaluate on images that the network has never seen, and draw."""
    parser = argparse.ArgumentParser(description="A convolutional network in bital.keras.")
    parser.add_argument("--out", type=Path, default=Path("out/08_convolutional_network.png"))
    parser.add_argument(
        "--images", type=int, default=10000, help="use the first of the training set"
    )
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()

    (x_train, y_train), (x_test, y_test) = mnist.load_mnist()
    x_train, x_test = (x.reshape(-1, 28, 28, 1) for x in (x_train, x_test))
    x_train, y_train = x_train[: options.images], y_train[: options.images]

    steps = -(-int(0.9 * len(x_train)) // 64)  # of an epoch
    model = build(options.epochs * steps)
    model.summary()
    history = model.fit(
        x_train, y_train, batch_size=64, epochs=options.epochs, validation_split=0.1, verbose=2
    )
    test_loss, test_accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"Test: loss {test_loss:.4f}, accuracy {test_accuracy:.4f}")
    draw(model, x_test[0], history.history, options.out)
    print(f"Drawn: {options.out}")


if __name__ == "__main__":
    main()
