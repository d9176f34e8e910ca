"""Wide and deep: a functional model with two inputs, on what a shop knows of its customers.

Some facts tell at once (the month: presents are bought in December), others only together (here
the young buy if they live near, the old if they live far away). The wide way leads the first
straight to the answer, the deep way the second through layers; both are trained as one model.
After Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016, on data made here.
Run it::

    python examples/09_two_inputs.py                   # draws out/09_two_inputs.png
"""

import argparse
from pathlib import Path

import numpy as np

from bital import keras

layers = keras.layers


def customers(n: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Months ``(n,)`` from 0 to 11, persons ``(n, 2)`` (age, distance), and who buys ``(n, 1)``."""
    random = np.random.default_rng(seed)
    month = random.integers(0, 12, n)
    person = random.uniform(-1, 1, (n, 2)).astype(np.float32)
    pull = 1.5 * np.cos(2 * np.pi * (month - 11) / 12) + 6 * person[:, 0] * person[:, 1]
    bought = random.uniform(size=n) < 1 / (1 + np.exp(-pull))
    return {"month": month, "person": person}, bought[:, np.newaxis].astype(np.float32)


def build(deep: bool = True, seed: int = 0):
    """A month's own weight (wide), and two layers over age and distance (deep), added."""
    keras.utils.set_random_seed(seed)
    month = keras.Input((), dtype="int64", name="month")
    person = keras.Input((2,), name="person")
    wide = layers.Embedding(12, 1, name="month_weight")(month)  # one number for each month
    if deep:
        h = layers.Dense(16, activation="relu")(person)
        h = layers.Dense(16, activation="relu")(h)
    else:
        h = person
    together = layers.Add()([wide, layers.Dense(1, name="person_weight")(h)])
    buys = layers.Activation("sigmoid", name="buys")(together)
    model = keras.Model({"month": month, "person": person}, buys, name="wide_and_deep")
    model.compile(
        optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"]
    )
    return model


def draw(model, file: Path) -> None:
    """Draw the weight of each month, and what the model expects of persons in one of them."""
    import matplotlib

    matplotlib.use("Agg")  # draw into a file, no window needed
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.8), layout="constrained")
    left.bar(range(1, 13), model.get_layer("month_weight").get_weights()[0][:, 0], color="#4477aa")
    left.set(title="Wide: one weight for each month", xlabel="month")
    side = np.linspace(-1, 1, 60, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    june = np.full(len(grid), 5)
    share = model.predict({"month": june, "person": grid}, verbose=0).reshape(60, 60)
    picture = right.pcolormesh(side, side, share, cmap="RdBu", vmin=0, vmax=1)
    figure.colorbar(picture, ax=right, label="probability to buy")
    right.set(title="Deep: age and distance together (June)", xlabel="age", ylabel="distance")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    """Train with and without the deep part, compare, and draw."""
    parser = argparse.ArgumentParser(description="A model with two inputs in bital.keras.")
    parser.add_argument("--out", type=Path, default=Path("out/09_two_inputs.png"))
    parser.add_argument("--customers", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()

    x, y = customers(options.customers, seed=0)
    x_test, y_test = customers(4000, seed=1)
    for deep in (False, True):
        model = build(deep)
        model.fit(x, y, batch_size=64, epochs=options.epochs, verbose=0)
        loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
        print(f"{'wide and deep' if deep else 'wide'}: loss {loss:.3f}, accuracy {accuracy:.3f}")
    model.summary()
    draw(model, options.out)
    print(f"Drawn: {options.out}")


if __name__ == "__main__":
    main()
