"""The thread pool: every task once, in slots of its own, whoever asks and however often."""

import ctypes
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bital
from bital.errors import ArgumentError

threads = pytest.importorskip("bital.executors.native.threads")
load = pytest.importorskip("bital.executors.native.compiler").load
threadpoolctl = pytest.importorskip("threadpoolctl")
posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no workers on Windows")

# A context is {counts, slots, in use, violations, alive, work}: pointers to a number for each
# task, each task, each slot, and one, one; then how long a task takes.
TASKS = """
%context = type { ptr, ptr, ptr, ptr, ptr, i64 }

define void @mark(ptr %context, i64 %task, i64 %slot) {
entry:
  %counts.at = getelementptr %context, ptr %context, i64 0, i32 0
  %counts = load ptr, ptr %counts.at
  %slots.at = getelementptr %context, ptr %context, i64 0, i32 1
  %slots = load ptr, ptr %slots.at
  %used.at = getelementptr %context, ptr %context, i64 0, i32 2
  %used = load ptr, ptr %used.at
  %bad.at = getelementptr %context, ptr %context, i64 0, i32 3
  %bad = load ptr, ptr %bad.at
  %alive.at = getelementptr %context, ptr %context, i64 0, i32 4
  %alive = load ptr, ptr %alive.at
  %work.at = getelementptr %context, ptr %context, i64 0, i32 5
  %work = load i64, ptr %work.at
  %living = load volatile i64, ptr %alive
  %dead = icmp eq i64 %living, 0
  %mine = getelementptr i64, ptr %used, i64 %slot
  %before = atomicrmw xchg ptr %mine, i64 1 seq_cst
  %taken = icmp ne i64 %before, 0
  %wrong = or i1 %dead, %taken
  %wrong.number = zext i1 %wrong to i64
  atomicrmw add ptr %bad, i64 %wrong.number seq_cst
  %count.at = getelementptr i64, ptr %counts, i64 %task
  %count = load i64, ptr %count.at
  %slot.at = getelementptr i64, ptr %slots, i64 %task
  store i64 %slot, ptr %slot.at
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %next = add i64 %i, 1
  %again = load volatile i64, ptr %alive
  %more = icmp slt i64 %next, %work
  br i1 %more, label %loop, label %end
end:
  %count.next = add i64 %count, 1
  store i64 %count.next, ptr %count.at
  store atomic i64 0, ptr %mine seq_cst, align 8
  ret void
}

define void @hammer(ptr %parallel, ptr %context, i64 %tasks, i64 %times) {
entry:
  %alive.at = getelementptr %context, ptr %context, i64 0, i32 4
  %alive = load ptr, ptr %alive.at
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  store volatile i64 1, ptr %alive
  call void %parallel(ptr @mark, ptr %context, i64 %tasks)
  store volatile i64 0, ptr %alive
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %times
  br i1 %more, label %loop, label %end
end:
  ret void
}
"""


class Caller:
    """Asks for one job again and again, and looks at what became of its tasks."""

    def __init__(self, machine, address, tasks, work=0):
        self.machine, self.address, self.tasks = machine, address, tasks  # keeps the code alive
        self.counts = np.zeros(tasks, np.int64)
        self.slots = np.full(tasks, -1, np.int64)
        self.others = np.zeros((3, 128), np.int64)
        used, bad, alive = (row.ctypes.data for row in self.others)
        pointers = (self.counts.ctypes.data, self.slots.ctypes.data, used, bad, alive, work)
        self.context = (ctypes.c_int64 * 6)(*pointers)
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 2)
        self.hammer = kind(machine.address("hammer"))

    def run(self, times=1):
        self.hammer(self.address, ctypes.addressof(self.context), self.tasks, times)

    @property
    def violations(self):
        """Tasks that ran after their job, or in a slot where another one was running."""
        return self.others[1, 0]


@pytest.fixture(scope="module")
def machine():
    return load(TASKS)


@pytest.fixture(scope="module")
def pool():
    """Three threads, whatever the environment allows NumPy's BLAS here."""
    with threadpoolctl.threadpool_limits(3):
        pool = threads.Pool(3)
        pool.start()
        yield pool
        pool.stop()


def script(text, **environment):
    """Run Python text in a process of its own; what it printed."""
    prelude = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
    prelude += "import test_threads as t; from bital.executors.native import threads\n"
    done = subprocess.run(
        [sys.executable, "-c", prelude + text],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def allowed(count):
    return {"BITAL_NUM_THREADS": str(count), "OPENBLAS_NUM_THREADS": str(count)}


@pytest.mark.parametrize("tasks", [0, 1, 2, 3, 1000])
def test_every_task_runs_once(machine, pool, tasks):
    caller = Caller(machine, pool.address, tasks)
    caller.run(times=50)
    assert (caller.counts == 50).all()
    assert ((caller.slots >= 0) & (caller.slots < 3)).all()
    assert caller.violations == 0


def all_slots(caller):
    """Those that took part in some job: on a busy machine a worker may miss many."""
    seen, begin = set(), time.monotonic()
    while len(seen) < 3 and time.monotonic() < begin + 60:
        caller.run()
        seen |= set(caller.slots.tolist())
    return seen


@posix
def test_workers_share_the_work(machine, pool):
    caller = Caller(machine, pool.address, 300, work=20_000)
    assert all_slots(caller) == {0, 1, 2}


@posix
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="Linux lists threads there")
def test_workers_start_with_the_first_work_for_them(machine):
    pool = threads.Pool(4)
    pool.start()
    with threadpoolctl.threadpool_limits(4):
        before = len(os.listdir("/proc/self/task"))
        Caller(machine, pool.address, 1).run()
        assert len(os.listdir("/proc/self/task")) == before
        Caller(machine, pool.address, 2).run()
        assert len(os.listdir("/proc/self/task")) == before + 3
        pool.stop()
        assert len(os.listdir("/proc/self/task")) == before


def test_one_task_runs_in_slot_0(machine, pool):
    caller = Caller(machine, pool.address, 1)
    caller.run(times=1000)
    assert caller.slots[0] == 0


def test_many_callers_at_once(machine, pool):
    """One has the workers at any time; the others run alone, and all get what they asked for."""
    callers = [Caller(machine, pool.address, tasks, work=50) for tasks in (2, 3, 7, 64, 200, 1)]
    running = [threading.Thread(target=caller.run, args=(2000,)) for caller in callers]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for caller in callers:
        assert (caller.counts == 2000).all()
        assert caller.violations == 0


def test_millions_of_tiny_jobs(machine, pool):
    """A wake-up lost, or a job run by a worker that is late, would show here."""
    caller = Caller(machine, pool.address, 2)
    caller.run(times=1_000_000)
    assert (caller.counts == 1_000_000).all()
    assert caller.violations == 0


def test_jobs_after_rests(machine, pool):
    """Workers fall asleep in between, some of them just as the next job comes."""
    caller = Caller(machine, pool.address, 8, work=100)
    for turn in range(600):
        caller.run()
        time.sleep((turn % 12) * 2e-5)
    assert (caller.counts == 600).all()
    assert caller.violations == 0


@posix
def test_idle_workers_take_no_time(machine, pool):
    Caller(machine, pool.address, 100).run()
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.1


def test_a_stopped_pool_runs_alone(machine):
    pool = threads.Pool(4)
    pool.start()
    pool.stop()
    caller = Caller(machine, pool.address, 50)
    caller.run(times=10)
    assert (caller.counts == 10).all()
    assert (caller.slots == 0).all()


@posix
def test_a_limit_of_numpys_blas_holds_here_too(machine, pool):
    if threads._blas_threads() is None:
        pytest.skip("this NumPy has another BLAS")
    with threadpoolctl.threadpool_limits(1):
        caller = Caller(machine, pool.address, 200, work=1000)
        caller.run(times=20)
        assert threads.num_threads() == 1
    assert (caller.slots == 0).all()
    assert (caller.counts == 20).all()


@posix
def test_fork(machine, pool):
    """The child has no workers, and gets its own when it has work for them."""
    Caller(machine, pool.address, 100).run()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # "multi-threaded, use of fork()"
        child = os.fork()
    if child == 0:
        status = 1
        try:
            caller = Caller(machine, pool.address, 300, work=20_000)
            seen = all_slots(caller)
            right = len(set(caller.counts.tolist())) == 1 and caller.violations == 0
            pool.stop()
            status = 0 if right and seen == {0, 1, 2} else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    caller = Caller(machine, pool.address, 100)
    caller.run(times=10)
    assert (caller.counts == 10).all()


def compute(tasks):
    """Of a process that multiprocessing starts."""
    caller = Caller(load(TASKS), threads.parallel_address(), tasks, work=100)
    caller.run(times=100)
    return bool((caller.counts == 100).all()), int(caller.slots.max()), threads.slots()


@pytest.mark.parametrize(
    "method", [pytest.param("fork", marks=posix), pytest.param("spawn", marks=pytest.mark.slow)]
)
def test_multiprocessing(method):
    text = f"""
import multiprocessing, warnings
warnings.simplefilter("ignore", DeprecationWarning)
if __name__ == "__main__":
    assert t.compute(20)[0]
    with multiprocessing.get_context({method!r}).Pool(2) as processes:
        print(processes.map(t.compute, [10, 20, 30]))
"""
    answers = eval(script(text, **allowed(3)))
    assert [(right, slots) for right, _, slots in answers] == [(True, threads_of(3))] * 3


def threads_of(count):
    return 1 if sys.platform == "win32" else count


@pytest.mark.slow
def test_processes_of_one_thread_each():
    """As joblib runs things: many processes, each told to use one thread."""
    text = "print(t.compute(50))"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.path.dirname(__file__)}
    environment.pop("BITAL_NUM_THREADS", None)
    command = [sys.executable, "-c", f"import test_threads as t; {text}"]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    assert {process.communicate(timeout=120)[0].strip() for process in running} == {"(True, 0, 1)"}


@pytest.mark.parametrize(
    ("environment", "count"),
    [
        ({"BITAL_NUM_THREADS": "5", "OMP_NUM_THREADS": "2"}, 5),
        ({"BITAL_NUM_THREADS": "", "OMP_NUM_THREADS": "2"}, 2),
        ({"BITAL_NUM_THREADS": "", "OMP_NUM_THREADS": "4,2"}, 4),
        ({"BITAL_NUM_THREADS": "", "OMP_NUM_THREADS": "many"}, None),
    ],
)
@posix
def test_environment(environment, count):
    available = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count()))(0)
    assert int(script("print(threads.slots())", **environment)) == count or len(available)


def test_a_number_of_threads_that_is_none(monkeypatch):
    monkeypatch.setenv("BITAL_NUM_THREADS", "0")
    threads.slots.cache_clear()
    try:
        with pytest.raises(ArgumentError, match="BITAL_NUM_THREADS is '0'"):
            threads.slots()
    finally:
        monkeypatch.undo()
        threads.slots.cache_clear()


@posix
def test_a_process_ends_while_workers_sleep_and_while_they_work():
    text = """
import threading
caller = t.Caller(t.load(t.TASKS), threads.parallel_address(), 1000, work=100)
threading.Thread(target=lambda: caller.run(10_000_000), daemon=True).start()
print("ready")
"""
    assert script(text, **allowed(4)) == "ready"


if __name__ == "__main__":
    multiprocessing.freeze_support()


def test_a_limit_of_blas_is_known_now():
    with threadpoolctl.threadpool_limits(1):
        assert bital.config.num_threads(now=True) == 1
    assert bital.config.num_threads() == threads.slots()


def test_the_executor_for_callers_with_threads_gives_the_same_bits():
    def layer(x, w):
        return np.maximum(x @ w, 0).sum(axis=0), np.exp(-x)

    x, w = np.random.default_rng(0).normal(size=(2, 300, 300)).astype(np.float32)
    wanted = bital.jit(layer, executor="native")(x, w)
    alone = bital.jit(layer, executor="native-alone")
    found = alone(x, w)
    with ThreadPoolExecutor(4) as callers:
        others = list(callers.map(lambda _: alone(x, w), range(16)))
    for result in (found, *others):
        for one, other in zip(result, wanted, strict=True):
            np.testing.assert_array_equal(one, other)
