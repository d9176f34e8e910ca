"""The command line as users meet it: real processes, real MNIST, real Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SOURCE = Path(__file__).parents[3] / "src"
BITAL = [sys.executable, "-W", "error", "-m", "bital.cli"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "utf-8"}
ENVIRONMENT.pop("BITAL_EXECUTOR", None)


def start(cwd, *arguments):
    return subprocess.Popen(
        [*BITAL, *arguments],
        cwd=cwd,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def run(cwd, *arguments, seconds=120):
    process = start(cwd, *arguments)
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def wait_for(path, process, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)


def test_a_short_training_on_the_whole_of_mnist(tmp_path):
    """One epoch of a small network is right on more than 92 % of the test digits."""
    options = ("--hidden", "32", "--epochs", "1", "--dropout", "0", "--out", "run")
    code, out, err = run(tmp_path, "train", "mnist", *options)
    assert code == 0, err
    assert "test" in out
    scores = json.loads((tmp_path / "run" / "metrics.json").read_text())["scores"]
    assert scores["test"]["accuracy"] > 0.92
    code, out, err = run(tmp_path, "inspect", "run")
    assert (code, err) == (0, "")
    assert "784-32-10" not in err
    assert "curves.png" in out


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_ctrl_c_after_an_epoch(tmp_path):
    process = start(tmp_path, "train", "mnist", "--hidden", "32", "--epochs", "500", "--out", "run")
    wait_for(tmp_path / "run" / "metrics.csv", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in out + err
    assert "Stopped with Ctrl-C" in out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["status"] == "interrupted"
    assert metrics["scores"]["test"]["accuracy"] > 0.85
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "checkpoints",
        "config.json",
        "curves.png",
        "metrics.csv",
        "metrics.json",
        "model.safetensors",
        "predictions.png",
    ]


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_ctrl_c_soon_after_the_start(tmp_path, delay):
    process = start(tmp_path, "train", "mnist", "--epochs", "500", "--out", "run")
    wait_for(tmp_path / "run" / "config.json", process)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in out + err


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is that of POSIX")
def test_a_killed_run_leaves_whole_files(tmp_path):
    process = start(tmp_path, "train", "mnist", "--hidden", "32", "--epochs", "500", "--out", "run")
    wait_for(tmp_path / "run" / "metrics.csv", process)
    process.kill()
    process.communicate(timeout=60)
    code, out, err = run(tmp_path, "inspect", "run")
    assert code == 0, err
    assert "did not come to its end" in out
    process = start(tmp_path, "train", "mnist", "--resume", "run")
    assert process.stdout.readline().startswith("784-32-10")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_a_training_on_a_table_goes_on_after_ctrl_c_and_after_a_kill(tmp_path):
    """It ends in the scores of one that was never stopped, to the last bit."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(20_000, 3))
    town = generator.choice(["Bonn", "Rome"], 20_000)
    y = x[:, 0] * np.where(town == "Rome", 2, 1) + np.sin(x[:, 1])
    rows = (
        f"{a:.4f},{b:.4f},{c:.4f},{t},{v:.4f}" for (a, b, c), t, v in zip(x, town, y, strict=True)
    )
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,town,y", *rows]) + "\n")
    options = ("--target", "y", "--epochs", "40", "--batch-size", "64", "--stream")
    code, _, err = run(tmp_path, "train", "t.csv", *options, "--out", "whole", "--quiet")
    assert code == 0, err
    process = start(tmp_path, "train", "t.csv", *options, "--out", "run")
    wait_for(tmp_path / "run" / "metrics.csv", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "To go on: bital train t.csv --resume run" in out
    process = start(tmp_path, "train", "t.csv", "--resume", "run")
    while not process.stdout.readline().lstrip().startswith(tuple("123456789")):
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate(timeout=60)
    code, out, err = run(tmp_path, "train", "t.csv", "--resume", "run", "--quiet")
    assert code == 0, err
    found = [
        json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("whole", "run")
    ]
    assert found[0]["scores"] == found[1]["scores"]
    assert found[0]["epochs"] == found[1]["epochs"] == 40
    files = [sorted(p.name for p in (tmp_path / name).iterdir()) for name in ("whole", "run")]
    assert files[0] == files[1]


def test_a_wrong_command_line_is_answered_quickly_and_without_traceback(tmp_path):
    code, out, err = run(tmp_path, "train", "mnist", "--hidden", "300,abc")
    assert (code, out) == (2, "")
    assert "'abc' is not a size" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="pipes are those of POSIX")
def test_a_reader_that_has_seen_enough_is_no_failure_to_talk_about(tmp_path):
    options = ("--hidden", "none", "--epochs", "1", "--out", "run", "--quiet")
    assert run(tmp_path, "train", "mnist", *options)[0] == 0
    np.save(tmp_path / "many.npy", np.zeros((20_000, 784), np.uint8))
    process = start(tmp_path, "predict", "run", "many.npy")
    assert process.stdout.readline().startswith("(gray values divided by 255)")
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 1
    process.stderr.close()


def accuracy_of(tmp_path, model, seed):
    options = ("--model", model, "--seed", str(seed), "--out", "run", "--quiet")
    code, _, err = run(tmp_path, "train", "mnist", *options, seconds=1800)
    assert code == 0, err
    return json.loads((tmp_path / "run" / "metrics.json").read_text())["scores"]["test"]["accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_defaults_reach_98_percent(tmp_path, seed):
    """The promise of the README: every seed from 0 to 4, at least 98.0 % on the test digits."""
    assert accuracy_of(tmp_path, "mlp", seed) >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_convolutional_network_reaches_99_percent(tmp_path, seed):
    """Its defaults, each seed from 0 to 2: at least 99.2 % on the test digits."""
    assert accuracy_of(tmp_path, "cnn", seed) >= 0.992


@pytest.mark.slow
def test_the_recurrent_network_reaches_98_percent(tmp_path):
    """Row by row, with its defaults: at least 98.5 % on the test digits."""
    assert accuracy_of(tmp_path, "lstm", 0) >= 0.985
