"""⑥ Executors: Program -> callable. Each is one folder and one entry in the table."""

from typing import Any

from bital.executors.alone import ALONE as ALONE
from bital.executors.alone import Alone as Alone
from bital.executors.device_array import DeviceArray as DeviceArray
from bital.executors.executor import Compiled as Compiled
from bital.executors.executor import DeviceExecutor as DeviceExecutor
from bital.executors.executor import Executor as Executor
from bital.executors.executor import devices_of as devices_of
from bital.executors.executor import get_executor as get_executor
from bital.executors.executor import is_installed as is_installed
from bital.executors.numpy import to_numpy as to_numpy
from bital.program import Program


def _to_llvm(program: Program) -> Any:
    get_executor("native")  # or the error that says what to install
    from bital.executors.native.executor import to_llvm

    return to_llvm(program)


def _memory(program: Program) -> Any:
    from bital.executors.memory import measure

    return measure(program)


# Imported when they are asked for: a program that runs NumPy's text needs neither.
Program.printers["llvm"] = _to_llvm
Program.printers["memory"] = _memory
