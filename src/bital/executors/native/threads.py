"""The threads that share a Program's work, and the machine code that hands it out.

A job is a function, a context and a number of tasks. Whoever asks for it works too; workers that
are awake help, those that sleep are woken, and nobody waits for a worker that has taken nothing.
So tasks must not depend on each other, and results not on who runs which.

On Windows there are no workers: everything runs in the thread that asks.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import importlib
import os
import platform
import signal
import sys
import threading
import time
from typing import Any

from bital.errors import ArgumentError
from bital.executors.native.compiler import Machine, load

_AWAKE = 100e-6  # seconds that a worker looks for more work before it sleeps
_MOST = 1024  # threads

# One word says what is open: the job's number, and below it how many tasks are not yet claimed. A
# task is claimed by lowering it, which fails if the word has changed since it was read; so what
# was read of the job in between belongs to it. Its fields change only when all tasks are done.
_RUNTIME = """
@claims = internal global [16 x i64] zeroinitializer, align 128
@done = internal global [16 x i64] zeroinitializer, align 128
@busy = internal global [16 x i64] zeroinitializer, align 128
@sleepers = internal global [16 x i64] zeroinitializer, align 128
@job.function = internal global ptr null, align 128
@job.context = internal global ptr null
@job.tasks = internal global i64 0
@job.threads = internal global i64 0
@stopped = internal global i64 0, align 128
@wanted = internal global i64 0
@workers = internal global i64 0
@threads = internal global [{most} x i64] zeroinitializer
@spins = internal global i64 0
@set.mask = internal global i32 0
@limit = internal global ptr null
@mutex = internal global [32 x i64] zeroinitializer, align 128
@bell = internal global [32 x i64] zeroinitializer, align 128

declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(i64, ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sigfillset(ptr)
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @sched_yield()

; Begin without workers and jobs: at first, and again in the child of a fork. The first job hires.
define void @bital_reset(i64 %wanted, ptr %limit, i64 %spins, i32 %set.mask) {
  store i64 0, ptr @claims
  store i64 0, ptr @busy
  store i64 0, ptr @sleepers
  store i64 0, ptr @stopped
  store i64 0, ptr @workers
  store ptr %limit, ptr @limit
  store i64 %spins, ptr @spins
  store i32 %set.mask, ptr @set.mask
  call i32 @pthread_mutex_init(ptr @mutex, ptr null)
  call i32 @pthread_cond_init(ptr @bell, ptr null)
  store atomic i64 %wanted, ptr @wanted seq_cst, align 8
  ret void
}

; Start the workers, as many as the system gives. Signals are for Python's own threads: a worker
; inherits a mask that lets none through.
define internal void @hire() {
entry:
  %all = alloca [16 x i64]
  %before = alloca [16 x i64]
  %set.mask = load i32, ptr @set.mask
  call i32 @sigfillset(ptr %all)
  call i32 @pthread_sigmask(i32 %set.mask, ptr %all, ptr %before)
  %wanted = load atomic i64, ptr @wanted monotonic, align 8
  br label %next
next:
  %hired = phi i64 [ 0, %entry ], [ %slot, %one ]
  %more = icmp slt i64 %hired, %wanted
  br i1 %more, label %one, label %end
one:
  %slot = add i64 %hired, 1
  %number = inttoptr i64 %slot to ptr
  %thread = getelementptr i64, ptr @threads, i64 %hired
  %failed = call i32 @pthread_create(ptr %thread, ptr null, ptr @worker, ptr %number)
  %fine = icmp eq i32 %failed, 0
  br i1 %fine, label %next, label %end
end:
  %pair = cmpxchg ptr @wanted, i64 %wanted, i64 %hired seq_cst monotonic
  store atomic i64 %hired, ptr @workers seq_cst, align 8
  call i32 @pthread_sigmask(i32 %set.mask, ptr %before, ptr null)
  ret void
}

define void @bital_pause(i64 %times) {
entry:
  br label %loop
loop:
  %left = phi i64 [ %times, %entry ], [ %less, %loop ]
  {pause}
  %less = sub i64 %left, 1
  %more = icmp sgt i64 %less, 0
  br i1 %more, label %loop, label %end
end:
  ret void
}

; How many threads may share a job now.
define i64 @bital_allowed() {
entry:
  %wanted = load atomic i64, ptr @wanted monotonic, align 8
  %all = add i64 %wanted, 1
  %limit = load ptr, ptr @limit
  %free = icmp eq ptr %limit, null
  br i1 %free, label %end, label %ask
ask:
  %answer = call i32 %limit()
  %asked = sext i32 %answer to i64
  %fewest = call i64 @llvm.smin.i64(i64 %all, i64 %asked)
  br label %end
end:
  %allowed = phi i64 [ %all, %entry ], [ %fewest, %ask ]
  ret i64 %allowed
}

; Claim and run one task of the open job, if there is one for this slot.
define internal i1 @take(i64 %slot) {
entry:
  br label %look
look:
  %word = load atomic i64, ptr @claims acquire, align 8
  %left = and i64 %word, 4294967295
  %none = icmp eq i64 %left, 0
  br i1 %none, label %no, label %read
read:
  %threads = load atomic i64, ptr @job.threads monotonic, align 8
  %function = load atomic ptr, ptr @job.function monotonic, align 8
  %context = load atomic ptr, ptr @job.context monotonic, align 8
  %tasks = load atomic i64, ptr @job.tasks monotonic, align 8
  %outside = icmp sge i64 %slot, %threads
  br i1 %outside, label %no, label %try
try:
  %less = sub i64 %word, 1
  %pair = cmpxchg ptr @claims, i64 %word, i64 %less acq_rel monotonic
  %won = extractvalue { i64, i1 } %pair, 1
  br i1 %won, label %run, label %look
run:
  %task = sub i64 %tasks, %left
  call void %function(ptr %context, i64 %task, i64 %slot)
  atomicrmw add ptr @done, i64 1 release
  ret i1 true
no:
  ret i1 false
}

define void @bital_parallel(ptr %function, ptr %context, i64 %tasks) {
entry:
  %wanted = load atomic i64, ptr @wanted monotonic, align 8
  %alone = icmp eq i64 %wanted, 0
  %few = icmp slt i64 %tasks, 2
  %many = icmp sgt i64 %tasks, 4294967295
  %odd = or i1 %few, %many
  %quick = or i1 %odd, %alone
  br i1 %quick, label %serial, label %ask
ask:
  %threads = call i64 @bital_allowed()
  %single = icmp slt i64 %threads, 2
  br i1 %single, label %serial, label %enter
enter:
  %pair = cmpxchg ptr @busy, i64 0, i64 1 acquire monotonic
  %won = extractvalue { i64, i1 } %pair, 1
  br i1 %won, label %staff, label %serial
staff:
  %workers = load atomic i64, ptr @workers monotonic, align 8
  %nobody = icmp eq i64 %workers, 0
  br i1 %nobody, label %first, label %publish
first:
  call void @hire()
  br label %publish

publish:
  store atomic i64 %threads, ptr @job.threads monotonic, align 8
  store atomic ptr %function, ptr @job.function monotonic, align 8
  store atomic ptr %context, ptr @job.context monotonic, align 8
  store atomic i64 %tasks, ptr @job.tasks monotonic, align 8
  store atomic i64 0, ptr @done monotonic, align 8
  %last = load atomic i64, ptr @claims monotonic, align 8
  %number = add i64 %last, 4294967296
  %open = or i64 %number, %tasks
  store atomic i64 %open, ptr @claims seq_cst, align 8
  %asleep = load atomic i64, ptr @sleepers seq_cst, align 8
  %any = icmp sgt i64 %asleep, 0
  br i1 %any, label %wake, label %work
wake:
  call i32 @pthread_mutex_lock(ptr @mutex)
  call i32 @pthread_cond_broadcast(ptr @bell)
  call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %work
work:
  %ran = call i1 @take(i64 0)
  br i1 %ran, label %work, label %wait

wait:
  %spins = load i64, ptr @spins
  br label %waiting
waiting:
  %i = phi i64 [ 0, %wait ], [ %i.next, %again ]
  %done = load atomic i64, ptr @done acquire, align 8
  %all = icmp eq i64 %done, %tasks
  br i1 %all, label %leave, label %not.yet
not.yet:
  {pause}
  %i.next = add i64 %i, 1
  %long = icmp sgt i64 %i.next, %spins
  br i1 %long, label %yield, label %again
yield:
  call i32 @sched_yield()
  br label %again
again:
  br label %waiting
leave:
  store atomic i64 0, ptr @busy release, align 8
  ret void

serial:
  call void @bital_alone(ptr %function, ptr %context, i64 %tasks)
  ret void
}

; A worker's life. It looks for work for a while, then sleeps until the bell rings: it says that it
; sleeps before it looks for the last time, and a job is open before its owner looks for sleepers.
define internal ptr @worker(ptr %number) {
entry:
  %slot = ptrtoint ptr %number to i64
  %spins = load i64, ptr @spins
  br label %awake
awake:
  br label %look
look:
  %i = phi i64 [ 0, %awake ], [ %i.next, %pause ]
  %ran = call i1 @take(i64 %slot)
  br i1 %ran, label %awake, label %idle
idle:
  %stop = load atomic i64, ptr @stopped monotonic, align 8
  %going = icmp eq i64 %stop, 0
  br i1 %going, label %pause, label %end
pause:
  {pause}
  %i.next = add i64 %i, 1
  %tired = icmp sgt i64 %i.next, %spins
  br i1 %tired, label %lie.down, label %look

lie.down:
  call i32 @pthread_mutex_lock(ptr @mutex)
  atomicrmw add ptr @sleepers, i64 1 seq_cst
  br label %last.look
last.look:
  %word = load atomic i64, ptr @claims seq_cst, align 8
  %left = and i64 %word, 4294967295
  %open = icmp ne i64 %left, 0
  br label %check
sleep:
  call i32 @pthread_cond_wait(ptr @bell, ptr @mutex)
  br label %check
check:
  %called = phi i1 [ %open, %last.look ], [ true, %sleep ]
  %threads = load atomic i64, ptr @job.threads monotonic, align 8
  %inside = icmp slt i64 %slot, %threads
  %wanted = and i1 %called, %inside
  %stop.now = load atomic i64, ptr @stopped seq_cst, align 8
  %stopping = icmp ne i64 %stop.now, 0
  %up = or i1 %wanted, %stopping
  br i1 %up, label %rise, label %sleep
rise:
  atomicrmw sub ptr @sleepers, i64 1 seq_cst
  call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %awake
end:
  ret ptr null
}

; Send the workers home; from now on jobs do without.
define void @bital_stop() {
entry:
  store atomic i64 0, ptr @wanted seq_cst, align 8
  store atomic i64 1, ptr @stopped seq_cst, align 8
  call i32 @pthread_mutex_lock(ptr @mutex)
  call i32 @pthread_cond_broadcast(ptr @bell)
  call i32 @pthread_mutex_unlock(ptr @mutex)
  %workers = atomicrmw xchg ptr @workers, i64 0 seq_cst
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %one ]
  %more = icmp slt i64 %i, %workers
  br i1 %more, label %one, label %end
one:
  %place = getelementptr i64, ptr @threads, i64 %i
  %thread = load i64, ptr %place
  call i32 @pthread_join(i64 %thread, ptr null)
  %i.next = add i64 %i, 1
  br label %next
end:
  ret void
}
"""

_ALONE = """
define void @{name}(ptr %function, ptr %context, i64 %tasks) {
entry:
  br label %head
head:
  %task = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp slt i64 %task, %tasks
  br i1 %more, label %body, label %end
body:
  call void %function(ptr %context, i64 %task, i64 0)
  %next = add i64 %task, 1
  br label %head
end:
  ret void
}
"""

_PAUSES = {
    "x86_64": "call void @llvm.x86.sse2.pause()",
    "aarch64": "call void @llvm.aarch64.hint(i32 1)",
}
_PAUSES |= {"amd64": _PAUSES["x86_64"], "arm64": _PAUSES["aarch64"]}


def runtime_text() -> str:
    """The runtime as LLVM IR.

    ``void @bital_parallel(ptr function, ptr context, i64 tasks)`` calls ``function(context, task,
    slot)`` once for each task in ``[0, tasks)`` and returns when all are done. Of the calls that
    run at one time no two have the same slot, which is below `slots()`. Where another thread's job
    has the workers, or where one thread is all that is allowed, all tasks run in slot 0.
    ``@bital_alone`` does the same with the thread that calls it.
    """
    text = _ALONE.replace("{name}", "bital_alone")
    if not _has_workers():
        return text + _ALONE.replace("{name}", "bital_parallel")
    text += _RUNTIME.replace("{most}", str(_MOST))
    return text.replace("{pause}", _PAUSES.get(platform.machine().lower(), ""))


def _has_workers() -> bool:
    return sys.platform != "win32"


# --- how many -------------------------------------------------------------------------------


@functools.cache
def slots() -> int:
    """The most threads that ever share a job.

    BITAL_NUM_THREADS if it is set, else OMP_NUM_THREADS, else the processors that this process may
    run on. Read once.

    Raises
    ------
    ArgumentError
        Where BITAL_NUM_THREADS is not a whole number from 1 to 1024.
    """
    if not _has_workers():
        return 1
    own = os.environ.get("BITAL_NUM_THREADS", "")
    if own:
        if not own.isdecimal() or not 1 <= int(own) <= _MOST:
            raise ArgumentError(
                f"BITAL_NUM_THREADS is {own!r}: set it to a number of threads from 1 to {_MOST}"
            )
        return int(own)
    shared = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if shared.isdecimal() and int(shared) >= 1:
        count = int(shared)
    elif hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return min(count, _MOST)


def num_threads() -> int:
    """How many threads a job would get now: `slots`, or fewer where NumPy's BLAS is limited.

    Limits that threadpoolctl or joblib set for NumPy's matrix products so hold here too.
    """
    limit = _blas_threads()
    return slots() if limit is None else max(1, min(slots(), limit()))


@functools.cache
def _blas_threads() -> Any:
    """OpenBLAS's own function that says how many threads it may use; None if NumPy has another."""
    extension = importlib.import_module("numpy._core._multiarray_umath")
    library = ctypes.CDLL(extension.__file__)  # it knows the names in what it was linked with, too
    for prefix in ("scipy_", ""):
        for suffix in ("64_", ""):
            function = getattr(library, f"{prefix}openblas_get_num_threads{suffix}", None)
            if function is not None:
                return function
    return None


# --- the pool -------------------------------------------------------------------------------


class Pool:
    """Workers, and the machine code that shares jobs with them.

    The first job with something to share starts the workers; so does the first one in the child of
    a fork, where there are none.

    Parameters
    ----------
    threads : int or None
        How many share a job, the one that asks for it included; None: `slots`.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.address = self.alone = 0
        self._threads = threads
        self._lock = threading.Lock()
        self._runtime: Machine | None = None
        self._spins = 0
        atexit.register(self.stop)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def start(self) -> int:
        """The address of the code that shares a job."""
        with self._lock:
            if not self.address:
                runtime = load(runtime_text())
                # Some thread may run this code until the process ends: it is never unmapped.
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(runtime))
                self._spins = _spins(runtime) if _has_workers() else 0
                self._reset(runtime)
                self._runtime = runtime
                self.alone = runtime.address("bital_alone")
                self.address = runtime.address("bital_parallel")
        return self.address

    def _reset(self, runtime: Machine) -> None:
        if _has_workers():
            limit = ctypes.cast(_blas_threads(), ctypes.c_void_p) if _blas_threads() else None
            kinds = ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
            count, set_mask = (self._threads or slots()) - 1, int(signal.SIG_SETMASK)
            _function(runtime, "bital_reset", *kinds)(count, limit, self._spins, set_mask)

    def _forked(self) -> None:
        self._lock = threading.Lock()  # another thread may have had it
        if self._runtime is not None:
            self._reset(self._runtime)

    def stop(self) -> None:
        """Send the workers home; jobs go on without them."""
        if self._runtime is not None and _has_workers():
            _function(self._runtime, "bital_stop")()


def _function(machine: Machine, name: str, *arguments: Any) -> Any:
    return ctypes.CFUNCTYPE(None, *arguments)(machine.address(name))


def _spins(runtime: Machine) -> int:
    """How many looks for work fill `_AWAKE`."""
    pause, turns = _function(runtime, "bital_pause", ctypes.c_int64), 1000
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        pause(turns)
        times.append(time.perf_counter() - begin)
    return max(1, int(_AWAKE / min(times) * turns))


_pool = Pool()


def parallel_address(alone: bool = False) -> int:
    """The address of ``bital_parallel``, or ``bital_alone`` (see `runtime_text`)."""
    address = _pool.address or _pool.start()
    return _pool.alone if alone else address
