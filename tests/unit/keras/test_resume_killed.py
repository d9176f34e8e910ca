"""A training that is killed twenty times ends in the bits of one that is not."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bital.keras import checkpoints

CHILD = Path(__file__).with_name("resume_child.py")
KILLS = 20


class Children:
    """Trainings in processes of their own."""

    def __init__(self, executor):
        self.executor = executor
        self.process = subprocess.Popen(
            [sys.executable, CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start(self, folder, result):
        self.process.stdin.write(f"{self.executor} {folder} {result}\n")
        self.process.stdin.flush()
        while (line := self.line()) == "training":  # of one that was killed early
            pass
        return int(line)

    def line(self):
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def finished(children, folder, result):
    number = children.start(folder, result)
    for _ in range(6000):
        if result.exists():
            return json.loads(result.read_text())
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            break
        time.sleep(0.01)
    assert result.exists(), children.process.stderr.readline()
    return json.loads(result.read_text())


def killed(children, folder, result, rng, longest):
    """Kill a training: before its first step, within, or while a checkpoint is being written."""
    before = set(folder.glob("checkpoint-*"))
    number = children.start(folder, result)
    kind = rng.choice(["early", "any", "any", "writing", "writing"])
    if kind == "early":
        time.sleep(rng.random() * 0.3)
    else:
        while (line := children.line()) != "training":
            assert line, children.process.stderr.readline()
        deadline = time.monotonic() + 10
        while kind == "any" and time.monotonic() < deadline:  # so that the trainings get on
            if set(folder.glob("checkpoint-*")) - before:
                break
        time.sleep(rng.random() * longest)
    deadline = time.monotonic() + 0.2
    while kind == "writing" and time.monotonic() < deadline:
        if any(name.endswith(".part") for name in os.listdir(folder)):
            break
    parts = [path.name for path in folder.glob(".*.part")] if folder.exists() else []
    os.kill(number, signal.SIGKILL)
    while True:  # the lock is given back when the process is gone
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return bool(parts)
        time.sleep(0.001)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["numpy", "native"])
def test_killed_twenty_times(tmp_path, name, record_property):
    rng = random.Random(time.time_ns())
    children = Children(name)
    try:
        start = time.monotonic()
        whole = finished(children, "-", tmp_path / "whole.json")
        assert children.line() == "training"
        longest = (time.monotonic() - start) / 14  # so short that none comes to its end
        writing, newest, folder, result = 0, [], tmp_path / "run", tmp_path / "killed.json"
        for _ in range(KILLS):
            writing += killed(children, folder, result, rng, longest)
            assert not result.exists(), "the training was at its end before the last kill"
            newest.append(max(folder.glob("checkpoint-*.safetensors"), default=None))
        assert len(set(newest)) >= 5, "the kills left no time to get on"
        reached = checkpoints.load(newest[-1])["epoch"]
        assert finished(children, folder, result) == whole
    finally:
        children.close()
    record_property("kills while a checkpoint was being written", writing)
    print(f"{name}: {KILLS} kills, {writing} while writing; the last in epoch {reached + 1}")
    assert not list((tmp_path / "run").glob(".*.part"))
    assert (tmp_path / "run" / "best.safetensors").exists()
