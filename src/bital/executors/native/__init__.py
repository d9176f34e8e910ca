"""The ``native`` executor: Programs as machine code, through LLVM."""

from bital.executors.native.executor import executor as executor
