"""The network of 03_network_by_hand.py in bital.keras: the same units, nothing by hand.

Run it::

    python examples/04_network_in_keras.py             # draws out/04_network_in_keras.png
    python examples/04_network_in_keras.py --images 5000 --epochs 2
"""

import argparse
from pathlib import Path

from bital import keras
from bital.datasets import mnist


def build(seed: int = 0):
    """784 pixels -> 50 sigmoid units -> 10 probabilities."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(50, activation="sigmoid", name="hidden"),
            keras.layers.Dense(10, activation="softmax", name="digits"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.5),
        loss="sparse_categorical_crossentropy",  # for labels 0 to 9; one-hot rows have another
        metrics=["accuracy"],
    )
    return model


def draw(history: dict[str, list[float]], file: Path) -> None:
    """Draw loss and accuracy over the epochs, on the training and on the validation data."""
    import matplotlib

    matplotlib.use("Agg")  # draw into a file, no window needed
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9.0, 3.8), layout="constrained")
    epochs = range(1, len(history["loss"]) + 1)
    for axes, name in zip(panels, ("loss", "accuracy"), strict=True):
        axes.plot(epochs, history[name], "o-", ms=4, color="#4477aa", label="training")
        axes.plot(epochs, history[f"val_{name}"], "s-", ms=4, color="#cc6677", label="validation")
        axes.set(title=name.capitalize(), xlabel="epoch", ylabel=name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    """Train, evaluate on images that the network has never seen, and draw."""
    parser = argparse.ArgumentParser(description="The two-layer network in bital.keras.")
    parser.add_argument("--out", type=Path, default=Path("out/04_network_in_keras.png"))
    parser.add_argument(
        "--images", type=int, default=60000, help="use the first of the training set"
    )
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()

    (x_train, y_train), (x_test, y_test) = mnist.load_mnist()
    x_train, y_train = x_train[: options.images], y_train[: options.images]

    model = build()
    model.summary()
    # The last tenth of the training data is held back. Where its loss stops falling while the
    # training loss still does, the network has begun to learn its examples by heart.
    history = model.fit(
        x_train, y_train, batch_size=100, epochs=options.epochs, validation_split=0.1, verbose=2
    )
    test_loss, test_accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"Test: loss {test_loss:.4f}, accuracy {test_accuracy:.4f}")
    draw(history.history, options.out)
    print(f"Drawn: {options.out}")


if __name__ == "__main__":
    main()
