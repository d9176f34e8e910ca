"""A real series: the number of sunspots next year, forecast by an LSTM from the last 22 years.

Yearly sunspot numbers from 1700 to 2008 (public domain, see NOTICE). The years up to 1920 train,
those to 1955 choose the epoch, and those from 1956 on are forecast one step ahead. What it has to
beat is persistence: next year is as this year. Run it::

    python examples/06_sunspots.py                     # draws out/06_sunspots.png
"""

import argparse
from pathlib import Path

import numpy as np

from bital import keras
from bital.keras import layers

DATA = Path(__file__).with_name("sunspots.csv")
WINDOW = 22  # two cycles
CHOOSE_FROM, TEST_FROM = 1921, 1956


def series():
    """Years and sunspot numbers."""
    table = np.loadtxt(DATA, delimiter=",", skiprows=1)
    return table[:, 0].astype(int), table[:, 1]


def windows(years, values):
    """Windows of square roots (counts vary with their size), and the change that follows each."""
    roots = (np.sqrt(values) / 10).astype(np.float32)
    cut = keras.utils.timeseries_dataset_from_array(roots, roots[WINDOW:], WINDOW)
    x, y = cut.whole()
    return x[..., np.newaxis], y - x[:, -1], years[WINDOW:]


def build(seed: int):
    """An LSTM of 24 units that forecasts the change."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([layers.Input((WINDOW, 1)), layers.LSTM(24), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.005), "mse")
    return model


def forecast(x, y, years, epochs: int, members: int):
    """The mean forecast of several networks, each stopped where it was best on 1921 to 1955."""
    learn, choose = years < CHOOSE_FROM, (years >= CHOOSE_FROM) & (years < TEST_FROM)
    found = []
    for seed in range(members):
        model = build(seed)
        stop = keras.callbacks.EarlyStopping(patience=40, restore_best_weights=True)
        model.fit(
            x[learn],
            y[learn, np.newaxis],
            batch_size=32,
            epochs=epochs,
            validation_data=(x[choose], y[choose, np.newaxis]),
            callbacks=[stop],
            seed=seed,
            verbose=0,
        )
        found.append(model.predict(x, verbose=0)[:, 0])
    roots = 10 * (x[:, -1, 0] + np.mean(found, axis=0))
    return np.maximum(roots, 0) ** 2


def draw(years, values, told, file: Path) -> None:
    """Draw the years of the test with their forecasts."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8.0, 3.6), layout="constrained")
    axes.plot(years, values, "o-", ms=3, color="#777777", label="sunspots")
    axes.plot(years, told, "s-", ms=3, color="#cc6677", label="forecast one year ahead")
    axes.set(xlabel="year", ylabel="sunspots", title="LSTM of 24 units, last 22 years")
    axes.grid(alpha=0.25)
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    """Train, forecast, compare with persistence, and draw."""
    parser = argparse.ArgumentParser(description="One-step-ahead forecast of sunspots.")
    parser.add_argument("--out", type=Path, default=Path("out/06_sunspots.png"))
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--members", type=int, default=3, help="networks whose mean is taken")
    options = parser.parse_args()

    years, values = series()
    x, y, ends = windows(years, values)
    told = forecast(x, y, ends, options.epochs, options.members)
    test = ends >= TEST_FROM
    truth, before = values[WINDOW:][test], values[WINDOW - 1 : -1][test]
    error = np.sqrt(np.mean((told[test] - truth) ** 2))
    persistence = np.sqrt(np.mean((before - truth) ** 2))
    print(f"{test.sum()} years from {TEST_FROM} to {years[-1]}, root mean square error:")
    less = 1 - error / persistence
    print(f"LSTM {error:.1f}, persistence {persistence:.1f} sunspots: {less:.0%} less")
    draw(ends[test], truth, told[test], options.out)
    print(f"Drawn: {options.out}")


if __name__ == "__main__":
    main()
