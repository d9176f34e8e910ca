"""The ``xla`` executor: Programs as functions of JAX, which compiles them for its devices."""
