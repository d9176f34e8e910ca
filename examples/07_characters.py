"""A character model: a GRU reads Python's language reference and writes on in its style.

The text is what ``help("topic")`` shows: it comes with every Python. The model reads 40 characters
and gives the probabilities of the next one at each place. Its figure is the bits per character on
the last tenth of the text, which it has not seen, beside those of the frequencies of single
characters. Run it::

    python examples/07_characters.py                   # draws out/07_characters.png
    python examples/07_characters.py --epochs 2       # from the fifth on it learns by heart
"""

import argparse
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

from bital import keras
from bital.keras import layers

LENGTH = 40


def text(size: int) -> str:
    """The beginning of the topics that ``help()`` shows, in printable characters."""
    whole = "\n".join(topics[name] for name in sorted(topics))
    return "".join(c for c in whole if c == "\n" or " " <= c <= "~")[:size]


def build(characters: int, seed: int = 0):
    """Each character as a vector of 32 numbers, a GRU of 128 units, a probability for each."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            layers.Input((None,)),
            layers.Embedding(characters, 32),
            layers.GRU(128, return_sequences=True),
            layers.Dense(characters, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    return model


def bits(history) -> float:
    """Bits per character from the loss, which is in natural logarithms."""
    return history / np.log(2)


def write_on(model, start, kinds, count: int, temperature: float, seed: int = 0) -> str:
    """Draw one character after the other from the model's probabilities."""
    rng = np.random.default_rng(seed)
    codes = list(start)
    for _ in range(count):
        window = np.array([codes[-LENGTH:]])
        p = model.predict(window, verbose=0)[0, -1].astype(np.float64) ** (1 / temperature)
        codes.append(int(rng.choice(len(kinds), p=p / p.sum())))
    return "".join(kinds[code] for code in codes[len(start) :])


def draw(history, floor: float, file: Path) -> None:
    """Draw the bits per character over the epochs."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.0, 3.8), layout="constrained")
    epochs = range(1, len(history["loss"]) + 1)
    for name, label in (("loss", "training"), ("val_loss", "text not seen")):
        axes.plot(epochs, bits(np.array(history[name])), "o-", ms=4, label=label)
    axes.axhline(floor, color="#777777", ls=":", label="frequencies of characters")
    axes.set(xlabel="epoch", ylabel="bits per character", title="GRU of 128 units")
    axes.grid(alpha=0.25)
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    """Train, measure on text that was not seen, write on, and draw."""
    parser = argparse.ArgumentParser(
        description="A character model of Python's language reference."
    )
    parser.add_argument("--out", type=Path, default=Path("out/07_characters.png"))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--characters", type=int, default=400, help="to write")
    parser.add_argument("--size", type=int, default=200_000, help="characters of text to read")
    options = parser.parse_args()

    whole = text(options.size)
    kinds = sorted(set(whole))
    codes = np.array([kinds.index(c) for c in whole], np.int32)
    cut = len(codes) * 9 // 10
    seen, unseen = (
        keras.utils.timeseries_dataset_from_array(
            np.stack([part[:-1], part[1:]], axis=1), None, LENGTH, sequence_stride=LENGTH // 2
        ).whole()
        for part in (codes[:cut], codes[cut:])
    )
    print(f"{len(whole)} characters of {len(kinds)} kinds")
    model = build(len(kinds))
    history = model.fit(
        seen[..., 0],
        seen[..., 1],
        batch_size=32,
        epochs=options.epochs,
        validation_data=(unseen[..., 0], unseen[..., 1]),
        seed=0,
        verbose=2,
    ).history
    p = np.bincount(codes[:cut], minlength=len(kinds)) + 1.0
    floor = -np.mean(np.log2(p / p.sum())[codes[cut:]])
    print(f"Bits per character on text not seen: {bits(history['val_loss'][-1]):.2f}", end="")
    print(f", by the frequencies of characters {floor:.2f}")
    start = codes[cut : cut + LENGTH]
    written = write_on(model, start, kinds, options.characters, 0.7)
    print("".join(kinds[code] for code in start) + "|" + written)
    draw(history, floor, options.out)
    print(f"Drawn: {options.out}")


if __name__ == "__main__":
    main()
