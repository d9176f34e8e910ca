"""TensorFlow's side, in its own environment: runs programs that it is told of, line by line.

A line is JSON: the name of a program, a folder to work in, and a file of initial values. What the
runs gave is written into the folder, and answered with the path, or with how the program failed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
import types
from pathlib import Path

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "TF_USE_LEGACY_KERAS": "1"}
own = os.fdopen(os.dup(1), "w")  # answers have it to themselves
os.dup2(2, 1)

import tensorflow.compat.v1 as tf  # noqa: E402
from tf1_files import read, write  # noqa: E402
from tf1_running import THEIRS, Program, Record  # noqa: E402

tf.disable_v2_behavior()
tf.logging.set_verbosity(tf.logging.ERROR)
tf.contrib = types.SimpleNamespace(rnn=tf.nn.rnn_cell)  # the same cells, in TensorFlow 1 too


def record(name: str, initial: Path) -> Path:
    program = Program.read(name)
    given = read(initial).initial
    found = Record(given, program.runs)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        found.run(program, tf, THEIRS)
        os.chdir("/")
    path = initial.with_name("theirs.npz")
    write(path, found)
    return path


for line in sys.stdin:
    name, path = json.loads(line)
    try:
        answer = {"path": str(record(name, Path(path)))}
    except Exception as error:
        traceback.print_exc()
        answer = {"failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=own, flush=True)
