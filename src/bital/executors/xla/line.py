"""The line: one connection from each process to process 0, by which all learn who is lost.

JAX has its own service for that, but its clients abort the process (SIGABRT, a C++ trace) as soon
as the service is gone. So its traffic goes through this line too: the end of it that JAX sees stays
open when the other process is dead, and what is said and done then is said and done here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import socket
import sys
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from bital.errors import ArgumentError, ProcessLostError

BEAT = 2.0  # seconds between two signs of life
SILENCE = 25.0  # seconds without one until a process is lost
_ATTEMPT = 5.0  # seconds for one attempt to reach process 0
GRACE = 25.0  # seconds that a process has, once it knows, before it is ended
Message = dict[str, Any]
Answer = Callable[[StreamReader, StreamWriter], Awaitable[None]]


class Line:
    """This process's end of the line.

    Parameters
    ----------
    address : str
        "host:port" on which process 0 listens, for this line and for JAX.
    count, index : int
        Processes, and the number of this one.
    """

    def __init__(self, address: str, count: int, index: int) -> None:
        host, _, port = address.rpartition(":")
        self.address, self.port = (host.strip("[]"), int(port)), int(port)
        self.count, self.index = count, index
        self.lost: str | None = None
        self.told = False  # whether the main thread knows of the loss
        self.ended = False  # whether all have come to their end, so that nobody can be lost
        self._answers: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._known = threading.Event()
        self._heard = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writer: StreamWriter | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="bital line", daemon=True
        )
        self._thread.start()
        self._hub = Hub(self) if index == 0 else None

    # The main thread --------------------------------------------------------------------------

    def join(self, seconds: float) -> None:
        """Wait until all processes are on the line."""
        self._wait(self._join(time.monotonic() + seconds))

    def relay(self) -> str:
        """An address of this machine at which JAX finds its service, wherever that runs."""
        port: int = self._wait(self._listen_for_jax())
        return f"127.0.0.1:{port}"

    def service_at(self, port: int) -> None:
        """Say where on this machine, which is that of process 0, JAX's service runs."""
        assert self._hub is not None
        self._hub.service.set_result(port)

    def hand_out(self, value: Any) -> None:
        """Process 0: give all others a value."""
        assert self._hub is not None
        self._check()
        self._loop.call_soon_threadsafe(
            self._hub.tell, {"kind": "agree", "value": value}, range(1, self.count)
        )

    def send(self, kind: str, value: Any = None) -> None:
        """Send a message to process 0."""
        message = {"kind": kind, "value": value}
        self._loop.call_soon_threadsafe(_write, self._writer, message)

    def answer(self, kind: str, seconds: float | None = None) -> Any:
        """Wait for what process 0 says next; raises queue.Empty after so many seconds."""
        message = self._answers.get(timeout=seconds)
        self._check()
        assert message is not None
        if message["kind"] != kind:
            raise ProcessLostError(
                f"process {self.index} is at {kind!r} while process 0 is at {message['kind']!r}: "
                "the processes do not run the same program with the same arguments."
            )
        return message["value"]

    def verdict(self, seconds: float) -> str | None:
        """Who was lost, once that is known; or None after so many seconds."""
        self._known.wait(seconds)
        return self.lost

    def flush(self) -> None:
        """Wait, not for long, until what was sent is on its way."""
        writers = [self._writer, *(self._hub.writers.values() if self._hub else ())]
        for writer in writers:
            if writer is not None:
                with contextlib.suppress(OSError, TimeoutError):
                    self._wait(writer.drain(), 1.0)

    def close(self) -> None:
        """End the thread and its connections."""
        self.ended = True
        self._wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _check(self) -> None:
        if self.lost is not None:
            self.told = True
            self._answers.put(None)
            raise ProcessLostError(f"{self.lost}")

    def _wait(self, job: Coroutine[Any, Any, Any], seconds: float | None = None) -> Any:
        return asyncio.run_coroutine_threadsafe(job, self._loop).result(seconds)

    # The thread of the line -------------------------------------------------------------------

    def start(self, job: Coroutine[Any, Any, None]) -> None:
        """Run a task in this thread."""
        task = self._loop.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def lose(self, text: str) -> None:
        """Note that a process is lost: the first one counts."""
        if self.lost is None and not self.ended:
            self.lost = text
            self._known.set()
            self._answers.put(None)
            self._loop.call_later(GRACE, self._end)

    async def _close(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
        await asyncio.sleep(0)  # what is closed is closed in the next round

    def _end(self) -> None:
        """End the process, if its main thread has not come to hear of the loss: it hangs."""
        if not self.told:
            sys.stderr.write(f"ProcessLostError: {self.lost}\n")
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(1)

    async def _join(self, end: float) -> None:
        if self._hub is not None:
            await self._hub.listen()
        message = None
        while message is None:  # whatever else may be at the port does not answer
            if time.monotonic() > end:
                raise ProcessLostError(f"process 0 at {self._place()} does not answer.")
            reader, self._writer = await self._connect("line", end)
            message = await self._next(reader, min(end, time.monotonic() + _ATTEMPT))
            if message is None or message["kind"] == "line":  # a connection may meet itself
                message = None
                self._writer.close()
                await asyncio.sleep(0.1)
        await self._begun(reader, message, end)
        self._heard = time.monotonic()
        self.start(self._hear(reader))
        self.start(self._watch())

    async def _begun(self, reader: StreamReader, message: Message | None, end: float) -> None:
        """Wait until all are there."""
        missing = "all others"
        while message is not None and message["kind"] != "go":
            if message["kind"] == "error":
                raise ArgumentError(message["value"])
            if message["kind"] == "waiting":
                missing = f"process {message['value']}"
            message = await self._next(reader, end)
        if message is None and time.monotonic() >= end:
            raise ProcessLostError(
                f"process {self.index} of {self.count} has waited for {missing} in vain. Start "
                "all processes within five minutes, with the same coordinator and count."
            )
        if message is None:
            raise ProcessLostError(f"process 0 at {self._place()} ended before the run began.")

    @staticmethod
    async def _next(reader: StreamReader, end: float) -> Message | None:
        try:
            async with asyncio.timeout(max(0.0, end - time.monotonic())):
                return await _read(reader)
        except TimeoutError:
            return None

    async def _connect(self, kind: str, end: float) -> tuple[StreamReader, StreamWriter]:
        address = ("127.0.0.1", self.port) if self._hub is not None else self.address
        while True:
            try:
                async with asyncio.timeout(_ATTEMPT):
                    reader, writer = await asyncio.open_connection(*address)
                break
            except OSError as error:  # TimeoutError is one
                if time.monotonic() > end:
                    raise ProcessLostError(
                        f"process {self.index} cannot reach process 0 at {self._place()}: {error}. "
                        "Is it started, is the address right, is the port open?"
                    ) from None
                await asyncio.sleep(0.1)
        _at_once(writer)
        place = f"{socket.gethostname()}, pid {os.getpid()}"
        hello = {"index": self.index, "count": self.count, "place": place}
        _write(writer, {"kind": kind, "value": hello})
        return reader, writer

    def _place(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    async def _hear(self, reader: StreamReader) -> None:
        while (message := await _read(reader)) is not None:
            self._heard = time.monotonic()
            if message["kind"] == "lost":
                self.lose(message["value"])
            elif message["kind"] != "beat":
                self._answers.put(message)
        self.lose(lost_text(0, self.count, GONE))

    async def _watch(self) -> None:
        while True:
            before = time.monotonic()
            _write(self._writer, {"kind": "beat", "value": None})
            await asyncio.sleep(BEAT)
            now = time.monotonic()
            if now - before > 5 * BEAT:  # this process itself was stopped: it cannot judge
                self._heard = now
            elif now - self._heard > SILENCE:
                self.lose(lost_text(0, self.count, SILENT))

    async def _listen_for_jax(self) -> int:
        async def carry(reader: StreamReader, writer: StreamWriter) -> None:
            there, thither = await self._connect("jax", time.monotonic() + SILENCE)
            self.start(_pipe(reader, thither))
            await _pipe(there, writer, hold=True)

        return await self.serve(carry, "127.0.0.1", 0)

    async def serve(self, answer: Answer, host: str | None, port: int) -> int:
        """Listen on a port, and close it at the end; returns its number."""

        async def answered(reader: StreamReader, writer: StreamWriter) -> None:
            with contextlib.suppress(asyncio.CancelledError):  # Python 3.11 logs it
                await answer(reader, writer)

        server = await asyncio.start_server(answered, host, port)
        number: int = server.sockets[0].getsockname()[1]

        async def keep() -> None:
            async with server:
                await server.serve_forever()

        self.start(keep())
        return number


class Hub:
    """Process 0's side: it listens, and tells each what all must know."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.service: asyncio.Future[int] = line._loop.create_future()
        self.writers: dict[int, StreamWriter] = {}
        self._places: dict[int, str] = {}
        self._heard: dict[int, float] = {}
        self._flags: dict[str, dict[int, Any]] = {}
        self._left: set[int] = set()
        self._begun = False

    async def listen(self) -> None:
        """Open the port."""
        try:
            await self.line.serve(self._serve, None, self.line.port)
        except OSError as error:
            raise ArgumentError(
                f"process 0 cannot listen on port {self.line.port}: {error}. Does another process "
                "have number 0, or the port? Choose another port for the coordinator."
            ) from None
        self.line.start(self._watch())

    def tell(self, message: Message, whom: Iterable[int] = ()) -> None:
        """Send a message to all, or to some."""
        for index in whom or list(self.writers):
            if index in self.writers:
                _write(self.writers[index], message)

    def lose(self, index: int, why: str) -> None:
        """Tell all that a process is lost."""
        if not (index in self._left or self.line.ended):
            text = lost_text(index, self.line.count, why, self._places[index])
            self.tell({"kind": "lost", "value": text})
            self.line.lose(text)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        _at_once(writer)
        try:
            hello = await _read(reader) or {"kind": None}
            if hello["kind"] == "jax":
                there, thither = await asyncio.open_connection("127.0.0.1", await self.service)
                self.line.start(_pipe(there, writer))
                await _pipe(reader, thither)
            elif hello["kind"] == "line":
                await self._attend(hello["value"], reader, writer)
        finally:
            writer.close()

    async def _attend(self, hello: Message, reader: StreamReader, writer: StreamWriter) -> None:
        """Hear one process, from its first word to its last."""
        index = hello["index"]
        wrong = self._refusal(hello)
        if wrong:
            _write(writer, {"kind": "error", "value": wrong})
            return
        self.writers[index], self._places[index] = writer, hello["place"]
        self._begin()
        while (message := await _read(reader)) is not None:
            self._heard[index] = time.monotonic()
            if message["kind"] == "failed":
                self.lose(index, message["value"])
            elif message["kind"] == "left":
                self._left.add(index)
                self._gather(index, message)
            elif message["kind"] != "beat":
                self._gather(index, message)
        if self._begun:
            self.lose(index, GONE)
        else:
            del self.writers[index]  # it may come again

    def _refusal(self, hello: Message) -> str | None:
        index, count = hello["index"], self.line.count
        if hello["count"] != count:
            return (
                f"process {index} was told of {hello['count']} processes, process 0 of {count}: "
                "give all the same count."
            )
        if index in self.writers:
            return (
                f"two processes have number {index}: {self._places[index]} and {hello['place']}. "
                f"Give each its own, 0 to {count - 1}."
            )
        return None

    def _begin(self) -> None:
        missing = sorted(set(range(self.line.count)) - set(self.writers))
        if missing:
            self.tell({"kind": "waiting", "value": ", ".join(map(str, missing))})
            return
        self._begun = True
        self._heard = dict.fromkeys(self.writers, time.monotonic())
        self.tell({"kind": "go", "value": None})

    def _gather(self, index: int, message: Message) -> None:
        """Collect what all send, and answer once the last has."""
        kind = message["kind"]
        flags = self._flags.setdefault(kind, {})
        flags[index] = message["value"]
        if len(flags) == self.line.count:
            del self._flags[kind]
            self.tell({"kind": kind, "value": any(flags.values())})

    async def _watch(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT)
            now = time.monotonic()
            if now - before > 5 * BEAT:
                self._heard = dict.fromkeys(self._heard, now)
            self.tell({"kind": "beat", "value": None})
            for index, heard in self._heard.items():
                if now - heard > SILENCE:
                    self.lose(index, SILENT)


GONE = "ended without a word: it was killed, or its machine is down"
SILENT = f"has given no sign of life for {SILENCE:.0f} s: it is stopped, or the network is down"


def lost_text(index: int, count: int, why: str, place: str = "") -> str:
    """What a user is told."""
    where = f" ({place})" if place else ""
    return (
        f"process {index} of {count}{where} {why}. The others cannot go on without it and end too. "
        "Start the same command again, on as many machines as there are now: training goes on from "
        "its last checkpoint, if it has some."
    )


def _at_once(writer: StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _write(writer: StreamWriter | None, message: Message) -> None:
    if writer is not None and not writer.is_closing():
        writer.write(json.dumps(message).encode() + b"\n")


async def _read(reader: StreamReader) -> Message | None:
    """The next message, or None at the end."""
    try:
        line = await reader.readline()
        message = json.loads(line)
        return message if isinstance(message, dict) and {*message} == {"kind", "value"} else None
    except (OSError, ValueError):  # a connection cut off, or not one of ours
        return None


async def _pipe(reader: StreamReader, writer: StreamWriter, hold: bool = False) -> None:
    """Carry bytes until they end; then close the other side too, or hold it open."""
    _at_once(writer)
    try:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        if hold:
            await asyncio.Future()
    finally:
        writer.close()
