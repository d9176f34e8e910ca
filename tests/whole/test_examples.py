"""Every example runs as its text says, and draws its picture where it is told to."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from books import EXAMPLES
from PIL import Image

SMALL = ["--images", "2000", "--epochs", "2"]
RUNS = {
    "01_slope_and_descent": ([], ["[6. 8.]", "learning rate 0.1"]),
    "02_perceptron_and_gates": (
        [],
        ["XOR  ", "not learned", "XOR from OR, NAND and AND: [0 1 1 0]"],
    ),
    "03_network_by_hand": (SMALL, ["def ", "np.matmul", "test accuracy"]),
    "04_network_in_keras": (SMALL, ["hidden", "Test: loss"]),
    "05_pretraining": ([], ["over 5 seeds"]),
    "06_sunspots": ([], ["53 years from 1956 to 2008"]),
    "07_characters": ([], ["200000 characters"]),
    "08_convolutional_network": (["--images", "1000", "--epochs", "1"], ["edges", "Test: loss"]),
    "09_two_inputs": (
        ["--customers", "2000", "--epochs", "3"],
        ["wide: loss", "wide and deep: loss", "month_weight"],
    ),
    "10_shallow_and_deep": (SMALL, ["| kernel SVM |", "| HOG, linear classifier |"]),
}


def test_every_example_is_run_here():
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted(RUNS)


SLOW = {
    "05_pretraining",
    "06_sunspots",
    "07_characters",
    "08_convolutional_network",
    "10_shallow_and_deep",
}
# What the examples on real data have to reach: a number in their text, and its bounds.
FIGURES = {
    "05_pretraining": (r"\(from (-?[\d.]+)%", 0.5, 10),  # the least margin over the seeds
    "06_sunspots": (r"(\d+)% less", 35, 100),
    "07_characters": (r"not seen: ([\d.]+),", 0.5, 2.5),
    "10_shallow_and_deep": (r"HOG, linear classifier \| 2,000 \| ([\d.]+)%", 92, 98),
}


def marked(name):
    return pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name


@pytest.mark.parametrize("name", [marked(name) for name in sorted(RUNS)])
def test_an_example_runs(name, tmp_path):
    options, said = RUNS[name]
    source = Path(__file__).parents[2] / "src"
    result = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(source), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=1200 if name in SLOW else 120,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    for text in said:
        assert text in result.stdout
    if name in FIGURES:
        pattern, low, high = FIGURES[name]
        assert low <= float(re.search(pattern, result.stdout)[1]) <= high, result.stdout
    with Image.open(tmp_path / "out" / f"{name}.png") as picture:
        assert min(picture.size) > 300
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_the_user_names_the_picture(tmp_path, monkeypatch):
    from books import example

    monkeypatch.setattr(sys, "argv", ["example", "--out", str(tmp_path / "a" / "mine.png")])
    example("01_slope_and_descent").main()
    assert (tmp_path / "a" / "mine.png").is_file()


def test_oriented_gradients_of_an_edge():
    from books import example

    hog = example("10_shallow_and_deep").hog
    image = np.zeros((28, 28))
    image[:, 14:] = 1.0  # to the right it changes: the first of nine directions
    blocks = hog(image[np.newaxis]).reshape(6, 6, 4, 9)
    assert blocks[:, 3].max() == 1.0
    assert (blocks[..., 1:] == 0).all()
    assert (blocks[:, [0, 1, 5]] == 0).all()
    turned = hog(np.rot90(image)[np.newaxis]).reshape(6, 6, 4, 9)
    np.testing.assert_allclose(turned[..., 4], turned[..., 5])  # 90 degrees are between the two
    assert turned[3].max() > 0.6
    assert (turned[..., [0, 1, 2, 3, 6, 7, 8]] == 0).all()
