"""Few labels: a network on 1,000 MNIST digits, with and without denoising pretraining.

Two hidden layers are trained first as denoising autoencoders on all 60,000 images, without labels
(Vincent et al. 2010), then fine-tuned on 1,000 labels. The same network with random first weights
is trained on the same labels for comparison, for each seed. Run it::

    python examples/05_pretraining.py                  # draws out/05_pretraining.png
    python examples/05_pretraining.py --images 5000 --seeds 1 --epochs 2
"""

import argparse
from pathlib import Path

import numpy as np

from bital import keras
from bital.datasets import mnist
from bital.keras import layers, pretraining

UNITS = (300, 300)


def pretrained(images, epochs: int, seed: int):
    """Two sigmoid layers that have learnt to undo damage, with ten outputs on top."""
    keras.utils.set_random_seed(seed)
    stack = pretraining.Stack(
        [
            pretraining.Autoencoder(
                units,
                noise=pretraining.MaskingNoise(0.25),
                optimizer=keras.optimizers.Adam(0.002),
            )
            for units in UNITS
        ]
    )
    stack.fit(images, epochs=epochs, batch_size=100, seed=seed, verbose=0)
    return stack.to_sequential([layers.Dense(10, activation="softmax")])


def from_scratch(seed: int):
    """The same network with random weights."""
    keras.utils.set_random_seed(seed)
    hidden = [layers.Dense(units, activation="sigmoid") for units in UNITS]
    return keras.Sequential([layers.Input((784,)), *hidden, layers.Dense(10, activation="softmax")])


def tuned(model, few, test, seed: int) -> float:
    """The accuracy on the test images after training on the few labels."""
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*few, batch_size=50, epochs=60, seed=seed, verbose=0)
    return model.evaluate(*test, verbose=0, return_dict=True)["accuracy"]


def draw(scores: np.ndarray, file: Path) -> None:
    """Draw the accuracies of each seed, without and with pretraining."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4.8, 4.2), layout="constrained")
    axes.plot([0, 1], 100 * scores.T, "o-", color="#4477aa", alpha=0.7)
    axes.set_xticks([0, 1], ["random first weights", "pretrained"])
    axes.set(ylabel="accuracy on 10,000 test images, %", title="1,000 labels", xlim=(-0.3, 1.3))
    axes.grid(alpha=0.25)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    """Train both for each seed, print the margin, and draw."""
    parser = argparse.ArgumentParser(description="Denoising pretraining with few labels.")
    parser.add_argument("--out", type=Path, default=Path("out/05_pretraining.png"))
    parser.add_argument("--images", type=int, default=60000, help="images without labels")
    parser.add_argument("--epochs", type=int, default=4, help="of each autoencoder")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()

    (x_train, y_train), test = mnist.load_mnist()
    x_train, y_train = x_train.astype(np.float32), y_train.astype(np.int64)
    scores = []
    for seed in range(options.seeds):
        chosen = np.random.default_rng(seed).permutation(len(x_train))[:1000]
        few = x_train[chosen], y_train[chosen]
        plain = tuned(from_scratch(seed), few, test, seed)
        model = pretrained(x_train[: options.images], options.epochs, seed)
        better = tuned(model, few, test, seed)
        scores.append((plain, better))
        print(f"seed {seed}: {plain:.2%} without, {better:.2%} with pretraining", flush=True)
    found = np.array(scores)
    margin = found[:, 1] - found[:, 0]
    print(
        f"Pretraining gains {margin.mean():.2%} of the test images on average "
        f"(from {margin.min():.2%} to {margin.max():.2%} over {len(margin)} seeds)"
    )
    draw(found, options.out)
    print(f"Drawn: {options.out}")


if __name__ == "__main__":
    main()
