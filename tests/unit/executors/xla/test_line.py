"""The line between processes, with all its ends in this one: threads instead of processes."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bital.errors import ArgumentError, ProcessLostError
from bital.executors.xla import line as lines
from bital.executors.xla.line import Line


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def line():
    """Makes ends of lines, and closes them."""
    made = []

    def make(*arguments):
        made.append(Line(*arguments))
        return made[-1]

    yield make
    for end in reversed(made):
        end.close()


@pytest.fixture
def joined(line):
    """Makes lines that have come about."""

    def make(count):
        port = free_port()
        ends = [line(f"127.0.0.1:{port}", count, index) for index in range(count)]
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda end: end.join(20), ends))
        return ends

    return make


def cut(end):
    """What the death of a process does to its connection."""
    end._loop.call_soon_threadsafe(end._writer.transport.abort)


def test_numbers_of_process_0_come_to_all(joined):
    first, *others = joined(4)
    values = [3, -0.0, 1e-300, float("inf"), True]
    first.hand_out(values)
    for other in others:
        found = other.answer("agree")
        assert found == values
        assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize("flags", [[False, False, True], [False] * 3, [True] * 3])
def test_a_flag_of_any_process_comes_to_all(joined, flags):
    ends = joined(3)
    for end, flag in zip(ends, flags, strict=True):
        end.send("any", flag)
    assert [end.answer("any") for end in ends] == [any(flags)] * 3


@pytest.mark.parametrize("victim", [1, 2])
def test_all_others_hear_who_is_gone(joined, victim):
    ends = joined(3)
    cut(ends[victim])
    for index in {0, 1, 2} - {victim}:
        with pytest.raises(ProcessLostError, match=rf"process {victim} of 3 .*without a word"):
            ends[index].answer("agree")
        with pytest.raises(ProcessLostError):  # again, and at every later call
            ends[index].answer("any")
    with pytest.raises(ProcessLostError, match="process"):
        ends[0].hand_out([1])
    assert ends[0].told


def test_a_process_that_fails_says_why(joined):
    ends = joined(3)
    ends[1].send("failed", "ended with ValueError: no such file")
    for end in (ends[0], ends[2]):
        with pytest.raises(ProcessLostError, match=r"process 1 of 3 .*ValueError: no such file"):
            end.answer("agree")


def test_a_process_that_says_nothing_is_lost(joined, monkeypatch):
    monkeypatch.setattr(lines, "BEAT", 0.1)
    monkeypatch.setattr(lines, "SILENCE", 0.45)
    ends = joined(2)
    stopped = threading.Event()
    ends[1]._loop.call_soon_threadsafe(stopped.wait, 20)  # its thread stands, as at SIGSTOP
    assert "no sign of life" in (ends[0].verdict(20) or "")
    stopped.set()


def test_processes_that_do_different_things_are_told(joined):
    first, second = joined(2)
    first.hand_out([1])
    with pytest.raises(ProcessLostError, match="process 1 is at 'any' while process 0 is at"):
        second.answer("any")


def test_a_process_that_hangs_is_ended_after_a_while(joined, monkeypatch, capsys):
    codes = []
    monkeypatch.setattr(lines, "GRACE", 0.05)
    monkeypatch.setattr(lines.os, "_exit", codes.append)
    cut(joined(2)[1])
    while len(codes) < 2:  # both: the one that was cut off knows of it too
        time.sleep(0.01)
    assert codes == [1, 1]
    assert "ProcessLostError: process " in capsys.readouterr().err


def test_no_one_is_lost_after_the_common_end(joined):
    ends = joined(2)
    for end in ends:
        end.send("done")
    for end in ends:
        end.answer("done")
        end.ended = True
    cut(ends[1])
    assert ends[0].verdict(0.3) is None


def test_two_processes_with_one_number(line):
    port = free_port()
    first, second, third = (line(f"127.0.0.1:{port}", 3, index) for index in (0, 1, 1))
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(end.join, 1.5) for end in (first, second)]
        while not first._hub.writers.keys() >= {0, 1}:
            time.sleep(0.01)
        with pytest.raises(ArgumentError, match=r"two processes have number 1: .*pid"):
            third.join(1.5)
        for each in waiting:
            with pytest.raises(ProcessLostError, match="waited for process 2 in vain"):
                each.result()


def test_another_count(line):
    port = free_port()
    first, second = line(f"127.0.0.1:{port}", 2, 0), line(f"127.0.0.1:{port}", 3, 1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(first.join, 1)
        with pytest.raises(ArgumentError, match="process 1 was told of 3 processes"):
            second.join(20)
        with pytest.raises(ProcessLostError, match="waited for process 1 in vain"):
            waiting.result()


def test_a_coordinator_that_is_not_there(line):
    with pytest.raises(ProcessLostError, match=r"process 1 cannot reach process 0 at 127\.0\.0\.1"):
        line(f"127.0.0.1:{free_port()}", 2, 1).join(0.3)


def test_a_port_that_is_taken(line):
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        with pytest.raises(ArgumentError, match="process 0 cannot listen on port"):
            line(f"127.0.0.1:{other.getsockname()[1]}", 2, 0).join(1)


def test_strangers_at_the_port_are_sent_away(line):
    port = free_port()
    first, second = (line(f"127.0.0.1:{port}", 2, index) for index in range(2))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(first.join, 20)
        for words in (b"GET / HTTP/1.1\r\n\r\n", b'{"kind": "tea"}\n', b"x" * 200_000):
            for _ in range(100):
                try:
                    with socket.create_connection(("127.0.0.1", port)) as stranger:
                        stranger.sendall(words)
                    break
                except OSError:
                    time.sleep(0.02)
        second.join(20)
        assert waiting.result() is None
