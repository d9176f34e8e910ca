"""The ``native`` executor: Programs as machine code, through LLVM."""
