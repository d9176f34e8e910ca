"""Real processes over loopback, for tests."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager


@contextmanager
def running(count, *arguments, **variables):
    """Processes that run Python with these arguments and join; ended in every case.

    ``variables`` are added to their environment.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {
        "JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}",
        "JAX_NUM_PROCESSES": str(count),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "",  # a device each
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    made = [
        subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env={**os.environ, **variables, "JAX_PROCESS_ID": str(index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]
    try:
        yield made
    finally:
        for each in made:
            each.kill()
            each.communicate()


def finished(process, seconds=100):
    """Status, output and errors of a process that ends within this time: a hang takes longer."""
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err
