"""Programs that are written down before they run, in operations that have names.

``operation`` makes of a NumPy function one that writes an operation into a ``graph``, and
``evaluation`` says what tensors are worth, as plain Python that `bital.jit` records. `bital.tf1`
gives them TensorFlow's vocabulary.
"""
