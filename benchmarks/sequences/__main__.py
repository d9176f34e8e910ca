"""``python -m benchmarks.sequences``: the networks for sequences, printed as tables."""

import argparse

from benchmarks.running import limit_threads
from benchmarks.sequences import LETTERS, main

parser = argparse.ArgumentParser(prog="python -m benchmarks.sequences", description=__doc__)
parser.add_argument("--workloads", nargs="+", choices=list(LETTERS), default=list(LETTERS))
parser.add_argument("--rounds", type=int, default=5, help="default: 5")
parser.add_argument("--seconds", type=float, default=0.5, help="a turn; default: 0.5")
parser.add_argument("--threads", type=int, help="default: what each chooses itself")
chosen = parser.parse_args()
if chosen.threads:
    limit_threads(chosen.threads)
main(chosen.workloads, chosen.rounds, chosen.seconds)
