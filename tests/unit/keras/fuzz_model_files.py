"""Mutates model files and loads them; run by test_model_file_fuzz.py in a process of its own.

``python fuzz_model_files.py KIND COUNT SEED FILE...`` prints one line of JSON: how many of the
mutated inputs were refused and how many loaded, and the first faults. A fault is any exception
but the documented one, and any audited event that a loader has no business with: another file, a
socket, a process, code that is compiled or run, a module that is imported.

Kinds, from the outside in: ``bytes`` changes the bytes of a file; ``header`` the safetensors header
and the order of tensors; ``document`` the JSON, token by token, under a correct checksum; ``text``
the text of a stored function; ``state`` the JSON of a checkpoint.
"""

import json
import random
import re
import resource
import struct
import sys
import time
from pathlib import Path

import numpy as np

import bital
from bital import keras
from bital.errors import ArgumentError, ModelFileError, ProgramError
from bital.keras import archive, saving
from bital.keras.plain import unpack

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[\[\]{},:]')
WORD = re.compile(r"\d+|\w+|[^\w\s]|\s+")
NASTY = [
    "0", "-1", "1e400", "99999999999999999999", "2147483648", "1e-320", "3.5", "NaN", "null",
    "true", "[]", "{}", "[[]]", '""', '"os.system"', '"../../etc/passwd"', '"__class__"',
    '"float64"',
    '"object"', '"Lambda"', '"Functional"', '"NumPyFunction"', '"load"', '"fromfile"', '"Dense"',
    '"value"', '"function"', '{"function": 1}', '{"layer": {}}', '{"value": [0, 0]}', '"dict"',
    "[" * 100 + "]" * 100, '"' + "x" * 300 + '"', "10000000", "[1000000, 1000000]", '"class_name"',
    '{"class_name": "Zeros", "config": {}}', '{"$array": "epoch"}', '{"$items": [[1, 2]]}',
]  # fmt: skip
TEXTS = ["<2n>", "<1n-40>", "<9n>", "(", "((((", "]", "program", "return", "constant", "inf", "-"]
TEXTS += ["float64", "int8[1]", "while_loop", "gather", "special", "'x'", "1e999", "9" * 30, "\n"]

events: list[str] = []
allowed: set[str] = set()
watching = False
FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.",
    "shutil.",
    "ctypes.",
    "exec",
    "compile",
    "import",
    "open",
)


def audit(event, arguments):
    if not watching or not event.startswith(FORBIDDEN):
        return
    if event == "open" and str(arguments[0]) in allowed:
        return
    if event == "compile" and str(arguments[0]).startswith("b'def foo("):
        return  # how inspect.signature reads that of a builtin
    events.append(f"{event} {arguments!r:.120}")


# Mutations ----------------------------------------------------------------------------------


def of_bytes(rng, data, others):
    kind = rng.randrange(7)
    out = bytearray(data)
    place = rng.randrange(len(out))
    if kind == 0:
        for _ in range(rng.choice([1, 1, 1, 2, 8])):
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del out[place:]
    elif kind == 2:
        out[:8] = struct.pack("<Q", rng.choice([0, 1, 8, len(out), 2**63, rng.getrandbits(20)]))
    elif kind == 3:
        del out[place : place + rng.choice([1, 2, 8, 64])]
    elif kind == 4:
        out[place:place] = rng.randbytes(rng.choice([1, 2, 8, 64]))
    elif kind == 5:
        other = rng.choice(others)
        out[place:] = other[rng.randrange(len(other)) :]
    else:
        out[place : place + 4] = rng.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b'"":{', b"9999"])
    return bytes(out)


def of_tokens(rng, text, pattern, nasty):
    tokens = pattern.findall(text)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        kind = rng.randrange(6)
        place, other = rng.randrange(len(tokens)), rng.randrange(len(tokens))
        if kind <= 1:
            tokens[place] = rng.choice(nasty)
        elif kind == 2:
            tokens[place] = tokens[other]
        elif kind == 3:
            del tokens[place]
        elif kind == 4:
            tokens[place:place] = tokens[other : other + rng.choice([1, 3, 9])]
        else:
            tokens[place], tokens[other] = tokens[other], tokens[place]
        if not tokens:
            return ""
    return "".join(tokens)


def of_header(rng, data):
    size = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    names = [name for name in header if name != "__metadata__"]
    one, two = rng.choice(names), rng.choice(names)
    kind = rng.randrange(6)
    if kind == 0:
        header[one], header[two] = header[two], header[one]
    elif kind == 1:
        header[one]["dtype"] = rng.choice(
            ["F64", "F16", "I64", "BOOL", "U8", "BF16", "F8_E4M3", "X"]
        )
    elif kind == 2:
        header[one]["shape"] = rng.choice(
            [[], [0], [2**40], header[one]["shape"][::-1], [-1], [1, 1]]
        )
    elif kind == 3:
        header[one]["data_offsets"] = [rng.getrandbits(rng.choice([4, 12, 60])) for _ in range(2)]
    elif kind == 4:
        header[rng.choice([one + "x", "", "weights/", "optimizer/iterations"])] = header.pop(one)
    else:
        header.pop(one)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


# Loading ------------------------------------------------------------------------------------


def loader(kind, paths, rng):
    """A function that makes a mutated input and loads it."""
    files = [Path(path).read_bytes() for path in paths]
    target = Path(paths[0]).with_name(f"mutated-{kind}-{rng.getrandbits(32)}")
    allowed.add(str(target))
    if kind in ("bytes", "header"):

        def attempt():
            data = rng.choice(files)
            target.write_bytes(
                of_bytes(rng, data, files) if kind == "bytes" else of_header(rng, data)
            )
            return lambda: keras.models.load_model(target)

        return attempt
    versions = {"bital.keras": 99, "bital.checkpoint": 99}
    opened = [archive.read(path, versions) for path in paths]
    if kind == "document":
        texts = [
            json.dumps(document) for document, _ in opened if document["format"] == "bital.keras"
        ]
        tensors = [t for document, t in opened if document["format"] == "bital.keras"]

        def attempt():
            number = rng.randrange(len(texts))
            text = of_tokens(rng, texts[number], TOKEN, NASTY)

            def load():
                document = archive.parse(target, text, {"bital.keras": saving.VERSION})
                return saving._loaded(target, document, tensors[number], True)

            return load

        return attempt
    if kind == "text":
        found = re.findall(
            r'"(program (?:[^"\\]|\\.)*)"', "".join(json.dumps(d) for d, _ in opened)
        )
        texts = [json.loads(f'"{text}"') for text in set(found)]

        def attempt():
            text = of_tokens(rng, rng.choice(texts), WORD, TEXTS)
            return lambda: bital.from_text(text)

        return attempt
    states = [(json.dumps(d), t) for d, t in opened if d["format"] == "bital.checkpoint"]

    def attempt():
        text, arrays = rng.choice(states)
        text = of_tokens(rng, text, TOKEN, NASTY)

        def load():
            document = archive.parse(target, text, {"bital.checkpoint": 1})
            return unpack(document.get("state"), arrays)

        return load

    return attempt


DOCUMENTED = {"text": ProgramError, "state": (ModelFileError, ArgumentError)}


def main(kind, count, seed, paths):
    global watching
    rng = random.Random(f"{kind} {seed}")
    for path in paths:
        if "checkpoint" not in path:
            keras.models.load_model(path)  # imports what loading needs
    b"x".decode("unicode_escape"), np.ma  # modules of the standard library and NumPy, on demand
    attempt = loader(kind, paths, rng)
    documented = DOCUMENTED.get(kind, ModelFileError)
    sys.addaudithook(audit)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (768 << 20), resource.RLIM_INFINITY))
    refused, loaded, faults, slowest = 0, 0, [], 0.0
    start = time.process_time()
    for number in range(count):
        load = attempt()
        begin = time.perf_counter()
        watching = True
        try:
            with np.errstate(all="ignore"):
                load()
            loaded += 1
        except documented:
            refused += 1
        except BaseException as error:
            faults.append(f"{number}: {type(error).__name__}: {error!s:.300}")
        watching = False
        slowest = max(slowest, time.perf_counter() - begin)
        if events:
            faults.append(f"{number}: {events.pop()}")
            events.clear()
        if len(faults) > 20:
            break
    print(
        json.dumps(
            {
                "kind": kind,
                "count": refused + loaded,
                "refused": refused,
                "loaded": loaded,
                "faults": faults,
                "slowest": round(slowest, 3),
                "seconds": round(time.process_time() - start, 2),
                "grown_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
