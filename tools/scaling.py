"""Write the tables of ``docs/scaling.md``: what many devices cost and gain, on paper.

python -m tools.scaling            # write the tables into the page
python -m tools.scaling --check    # say whether they are up to date
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
COUNTS = [2**power for power in range(11)]
GOOD = 0.8  # share of the time that is to be computing


@dataclass(frozen=True)
class Work:
    """A network, and how it is trained.

    Parameters
    ----------
    name, unit : str
        The unit is what a batch is counted in.
    weights : int
    flops : float
        Of a training step, for one unit: forward, and twice that backward.
    layers : int
        Each has collectives of its own.
    own, whole : int
        Units in a batch: for each device where the batch grows with them, or for all.
    least : int
        Units that cannot be cut: a sample.
    """

    name: str
    unit: str
    weights: int
    flops: float
    layers: int
    own: int
    whole: int
    least: int = 1


@dataclass(frozen=True)
class Machine:
    """Devices and what lies between them; bytes a second in one direction, for each device.

    Parameters
    ----------
    convnet, transformer : float
        FLOP/s that a device is taken to reach at each.
    memory : float
    group : int
        Devices of one node, or of one pod.
    near, far : float
        Within a group, and between groups.
    near_wait, far_wait : float
        Seconds until a message arrives.
    axes : int
        0: every device reaches every other by a switch. Otherwise axes of a torus.
    """

    name: str
    convnet: float
    transformer: float
    memory: float
    group: int
    near: float
    far: float
    near_wait: float
    far_wait: float
    axes: int = 0

    def speed(self, work: Work) -> float:
        """FLOP/s of one device."""
        return self.convnet if work is CONVNET else self.transformer


def convnet() -> Work:
    """Workload K of the benchmarks: 3 x 3 convolutions with 32 and 64 filters, 1600-128-10."""
    convolutions = ((26, 1, 32), (11, 32, 64))  # side of the result, channels in and out
    dense = ((1600, 128), (128, 10))
    weights = sum(9 * a * b + b for _, a, b in convolutions) + sum(a * b + b for a, b in dense)
    products = sum(9 * a * b * side**2 for side, a, b in convolutions)
    flops = 3 * 2 * (products + sum(a * b for a, b in dense))
    return Work("ConvNet", "images", weights, flops, 4, own=64, whole=4096)


WIDTH, DEPTH, HEADS, LENGTH, TOKENS = 2048, 18, 16, 2048, 50_304


def transformer() -> Work:
    """18 layers of width 2048, inner width 8192, 16 heads, 50,304 tokens (tied), length 2048."""
    weights = 12 * WIDTH**2 * DEPTH + TOKENS * WIDTH
    flops = 6 * weights + 12 * DEPTH * WIDTH * LENGTH  # the second: attention
    return Work("1B", "tokens", weights, flops, DEPTH, own=4 * LENGTH, whole=2**20, least=LENGTH)


CONVNET, LARGE = convnet(), transformer()
MACHINES = (
    Machine("H100/H200 nodes", 0.05 * 67e12, 0.4 * 989e12, 80e9, 8, 450e9, 50e9, 2e-6, 6e-6),
    Machine("TPU v5e", 0.05 * 197e12, 0.4 * 197e12, 16e9, 256, 200e9, 3.1e9, 1e-6, 30e-6, axes=2),
    Machine("TPU v5p", 0.05 * 459e12, 0.4 * 459e12, 95e9, 8960, 600e9, 3e9, 1e-6, 30e-6, axes=3),
    Machine("CPUs, 100 GbE", 0.1 * 10e12, 0.5 * 10e12, 512e9, 1, 12.5e9, 12.5e9, 10e-6, 10e-6),
    Machine("CPUs, 10 GbE", 0.1 * 10e12, 0.5 * 10e12, 512e9, 1, 1.25e9, 1.25e9, 30e-6, 30e-6),
)


# The model ------------------------------------------------------------------------------------


def half(machine: Machine, size: float, count: int, calls: int) -> float:
    """Seconds of a reduce-scatter, or an all-gather, of ``size`` bytes in so many calls."""
    near = min(count, machine.group)
    far = count // near
    axes = machine.axes
    steps = axes * (near ** (1 / axes) - 1) if axes else math.log2(near)
    waits = steps * machine.near_wait + math.log2(far) * machine.far_wait
    bytes_near = (near - 1) / near * size
    bytes_far = (far - 1) / far * size / near
    return calls * waits + bytes_near / machine.near + bytes_far / machine.far


def sent(work: Work, count: int, cut: bool) -> float:
    """Bytes that a device sends in a step."""
    share = (count - 1) / count
    return share * work.weights * ((2 + 2 + 4) if cut else 2 * 4)


def moving(machine: Machine, work: Work, count: int, cut: bool) -> float:
    """Seconds of all collectives of a step.

    Copies of the weights: a sum of gradients in float32 for all. Cut weights: collected as bfloat16
    for the way forward and again for the way back, and gradients summed where they stay.
    """
    if not cut:
        return 2 * half(machine, 4 * work.weights, count, work.layers)
    collected = half(machine, 2 * work.weights, count, work.layers)
    return 2 * collected + half(machine, 4 * work.weights, count, work.layers)


def computing(machine: Machine, work: Work, count: int, grows: bool) -> float | None:
    """Seconds of the computations of a step; None if there is less than a sample for a device."""
    units = work.own if grows else work.whole / count
    return None if units < work.least else units * work.flops / machine.speed(work)


def shares(
    machine: Machine, work: Work, count: int, grows: bool, cut: bool
) -> tuple[float, float] | None:
    """Shares of the time that is computing: nothing overlaps, and all that can."""
    compute = computing(machine, work, count, grows)
    if compute is None:
        return None
    move = moving(machine, work, count, cut)
    return compute / (compute + move), compute / max(compute, move)


def state(work: Work, count: int, cut: bool) -> float:
    """Bytes of a device for weights, gradients and Adam's two moments, all in float32.

    Cut weights: also those of one layer, collected, and their gradients.
    """
    whole = 16.0 * work.weights
    return whole / count + 8 * work.weights / work.layers if cut else whole


def activations(tokens: int, kept: bool) -> float:
    """Bytes of what the way back of the transformer needs, for so many tokens.

    ``kept``: 34 bytes for each of the width and 5 for each pair of a head (Korthikanti et al.),
    times 2 for float32; otherwise the inputs of layers alone, and one layer at a time. Logits, and
    their slopes, in both.
    """
    layer = 2 * (34 * WIDTH + 5 * HEADS * LENGTH)
    logits = 2 * 4 * TOKENS
    layers = DEPTH * layer if kept else DEPTH * 4 * WIDTH + layer
    return tokens * (layers + logits)


def critical(loss: float) -> float:
    """Tokens in a batch from which on a larger one saves few steps (Kaplan et al., 2020)."""
    return 2e8 / loss ** (1 / 0.21)


# Tables ---------------------------------------------------------------------------------------


def table(head: list[str], rows: list[list[str]]) -> str:
    """Text of a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def amount(value: float, unit: str = "B") -> str:
    """A number with three digits and a prefix."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def duration(seconds: float) -> str:
    """Seconds, in a fitting unit."""
    for factor, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return "0"


def works() -> str:
    """What is trained."""
    rows = []
    for work in (CONVNET, LARGE):
        bytes_sent = sent(work, 1024, cut=False)
        rows.append(
            [
                work.name,
                f"{work.weights:,}",
                amount(work.flops, f"FLOP/{work.unit[:-1]}"),
                f"{work.own:,}",
                f"{work.whole:,}",
                amount(bytes_sent),
                f"{work.own * work.flops / bytes_sent:,.0f}",
            ]
        )
    head = ["", "weights", "a training step", "units a device", "or in all"]
    return table([*head, "sent by a device", "FLOP for a byte sent"], rows)


def machines() -> str:
    """What it runs on."""
    rows = [
        [
            m.name,
            amount(m.convnet, "FLOP/s"),
            amount(m.transformer, "FLOP/s"),
            amount(m.memory),
            f"{m.group:,}",
            f"{amount(m.near)}/s, {duration(m.near_wait)}",
            "-" if m.far == m.near else f"{amount(m.far)}/s, {duration(m.far_wait)}",
        ]
        for m in MACHINES
    ]
    head = ["", "ConvNet", "transformer", "memory", "group", "within a group", "between groups"]
    return table(head, rows)


def bytes_moved() -> str:
    """Bytes that a device sends in a step, and how long that takes."""
    rows = []
    for count in COUNTS[1:]:
        row = [f"{count:,}", *(amount(sent(work, count, False)) for work in (CONVNET, LARGE))]
        for machine in MACHINES:
            both = (duration(moving(machine, LARGE, count, cut)) for cut in (False, True))
            row.append(" / ".join(both))
        rows.append(row)
    return table(["devices", "ConvNet", "1B", *(m.name for m in MACHINES)], rows)


def efficiency(work: Work, grows: bool, cut: bool) -> str:
    """Shares of the time that is computing."""
    rows = []
    for count in COUNTS:
        row = [f"{count:,}"]
        for machine in MACHINES:
            found = shares(machine, work, count, grows, cut)
            row.append("-" if found is None else " - ".join(f"{100 * x:.0f}" for x in found) + " %")
        rows.append(row)
    return table(["devices", *(m.name for m in MACHINES)], rows)


def memory() -> str:
    """Bytes of a device, for the transformer."""
    rows = [
        [
            f"{count:,}",
            amount(state(LARGE, count, False)),
            amount(state(LARGE, count, True)),
            amount(activations(LARGE.own, True)),
            amount(activations(LARGE.own, False)),
            amount(activations(LARGE.least, False)),
        ]
        for count in (1, 8, 64, 256, 1024)
    ]
    head = ["devices", "state, copied", "state, cut", "activations of 4 sequences"]
    return table([*head, "recomputed", "recomputed, 1 sequence"], rows)


def ends() -> str:
    """The most devices that compute four fifths of the time, if nothing overlaps."""
    rows = []
    for work in (CONVNET, LARGE):
        for grows in (True, False):
            for cut in (False, True) if work is LARGE else (False,):
                row = [work.name, "grows" if grows else "fixed", "cut" if cut else "copied"]
                for machine in MACHINES:
                    found = [(n, shares(machine, work, n, grows, cut)) for n in COUNTS]
                    good = [n for n, both in found if both is not None and both[0] >= GOOD]
                    row.append(f"{max(good):,}")
                rows.append(row)
    return table(["", "batch", "weights", *(m.name for m in MACHINES)], rows)


def batches() -> str:
    """Batches beside the critical one."""
    rows = []
    for loss in (4.0, 3.0, 2.5):
        limit = critical(loss)
        extra = [f"{1 + n * LARGE.own / limit:.2f}" for n in (64, 256, 1024)]
        rows.append([f"{loss}", amount(limit, "tokens"), *extra])
    return table(["loss", "critical batch", "64 devices", "256", "1,024"], rows)


def checkpoints() -> str:
    """How long a checkpoint takes, and how often one pays (Young, 1974)."""
    size = 12 * LARGE.weights
    rows = []
    for count in (8, 64, 1024):
        between = 54 * 86400 / 419 * 16384 / count
        seconds = size / 2e9
        interval = math.sqrt(2 * seconds * between)
        lost = seconds / interval + interval / (2 * between)
        row = [f"{count:,}", amount(size), f"{seconds:.0f} s", f"{between / 3600:,.0f} h"]
        rows.append([*row, f"{interval / 60:.0f} min", f"{100 * lost:.1f} %"])
    head = ["devices", "checkpoint", "written in", "between faults", "best interval", "lost"]
    return table(head, rows)


TABLES = {
    "works": works,
    "machines": machines,
    "bytes": bytes_moved,
    "convnet grows": lambda: efficiency(CONVNET, grows=True, cut=False),
    "convnet fixed": lambda: efficiency(CONVNET, grows=False, cut=False),
    "transformer grows": lambda: efficiency(LARGE, grows=True, cut=True),
    "transformer fixed": lambda: efficiency(LARGE, grows=False, cut=True),
    "ends": ends,
    "memory": memory,
    "batches": batches,
    "checkpoints": checkpoints,
}


def page(text: str) -> str:
    """The page, its tables written anew."""
    for marker, make in TABLES.items():
        start = f"<!-- {marker}: made by `python -m tools.scaling` -->"
        end = f"<!-- /{marker} -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"{PAGE.name} lacks {start} or {end}")
        text = f"{before}{start}\n{make()}\n{end}{after}"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.scaling", description=__doc__)
    parser.add_argument("--check", action="store_true")
    old = PAGE.read_text(encoding="utf-8")
    new = page(old)
    if parser.parse_args().check:
        sys.exit(
            None if new == old else "docs/scaling.md is not up to date: python -m tools.scaling"
        )
    PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
