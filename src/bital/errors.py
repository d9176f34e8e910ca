"""Every error that bital raises on purpose: one class per cause.

Each message says what was called, what was received, why that cannot work, and what to write
instead. The class docstring shows failing code and its repair, with ``np``, ``bital``,
``bital.keras`` as ``keras`` and an array ``x``; ``docs/errors.md`` is made of it. Every class
derives from ``BitalError`` and from the built-in exception that NumPy users would expect there.
"""


class BitalError(Exception):
    """Base of all errors that bital raises on purpose."""


class TracerConversionError(BitalError, TypeError):
    """A traced value was about to become a plain array or number.

    A tracer stands for a value that is being recorded. Turned into a plain array it would drop
    out of the recording, and its gradient would be lost without a word.

    Fails::

        bital.grad(lambda x: np.array([x, 2 * x]).sum())(3.0)

    Works::

        bital.grad(lambda x: np.stack([x, 2 * x]).sum())(3.0)
    """


class TracerBoolError(BitalError, TypeError):
    """Python asked a traced value for its truth or its index while the value is unknown.

    Under ``bital.jit`` one recording serves every value, so a branch cannot be chosen.

    Fails::

        bital.jit(lambda x: x if x > 0 else 0.0)(3.0)

    Works::

        bital.jit(lambda x: np.where(x > 0, x, 0.0))(3.0)
        bital.jit(lambda x: bital.cond(x > 0, np.sqrt, lambda x: 0.0, x))(3.0)  # one branch runs
        bital.jit(lambda x: bital.while_loop(lambda x: x < 100, lambda x: 2 * x, x))(3.0)
    """


class LeakedTracerError(BitalError, RuntimeError):
    """A traced value was used after the function that it belongs to had returned.

    Fails::

        kept = []
        bital.grad(lambda x: kept.append(x) or x * x)(3.0)
        kept[0] + 1

    Works::

        value, aux = bital.grad(lambda x: (x * x, x), has_aux=True)(3.0)
    """


class UnsupportedFunctionError(BitalError, TypeError):
    """A NumPy function, or an option of it, that bital cannot trace.

    Fails::

        bital.jit(lambda x: np.unique(x).sum())(x)

    Works::

        bital.jit(lambda distinct: distinct.sum())(np.unique(x))  # the message names a way
    """


class SupersededArrayError(BitalError, RuntimeError):
    """A plain array was used after a traced value had been added into it.

    ``o += x`` with a plain ``o`` and a traced ``x`` makes the *name* ``o`` a traced value; the
    array that it named before never receives the sum.

    Fails::

        def f(x):
            o = np.zeros(3)
            kept = o
            o += x
            return (kept * x).sum()  # kept is still zeros

        bital.grad(f)(x)

    Works::

        def f(x):
            o = np.zeros(3)
            o = o + x
            return (o * x).sum()

        bital.grad(f)(x)
    """


class ViewError(BitalError, RuntimeError):
    """A view of a traced array was written to, or used after its base had been written to.

    Traced writes replace the value of one name. They cannot reach another name through shared
    memory, as NumPy's views do.

    Fails::

        def f(m):
            row = m[0]
            row[1] = 5.0
            return m.sum()

        bital.grad(f)(np.ones((2, 3)))

    Works::

        def f(m):
            m[0, 1] = 5.0
            return m.sum()

        bital.grad(f)(np.ones((2, 3)))
    """


class InputMutationError(BitalError, RuntimeError):
    """A jitted function changed its arguments in place and returned nothing.

    Fails::

        @bital.jit
        def step(w, g):
            w -= 0.1 * g

        step(x, np.ones(3))

    Works::

        @bital.jit
        def step(w, g):
            w -= 0.1 * g
            return w

        step(x, np.ones(3))
    """


class DifferentiationError(BitalError, TypeError):
    """A derivative was asked for that does not exist.

    Fails::

        bital.grad(lambda x: x * x)(3)  # an integer has no neighbourhood

    Works::

        bital.grad(lambda x: x * x)(3.0)
    """


class TypeMismatchError(BitalError, TypeError):
    """What must keep one type does not: a loop's carry, or the results of a branch.

    Fails::

        bital.scan(lambda c, x: (c * x, None), np.float32(1.0), np.ones(3))  # c * x is float64

    Works::

        bital.scan(lambda c, x: (c * x, None), 1.0, np.ones(3))  # a Python number adapts
    """


class ProgramError(BitalError, ValueError):
    """A Program is not well formed: a fault of bital itself, or of a hand-written text form.

    Fails::

        from bital.primitives import REGISTRY
        from bital.program import parse

        parse("program f(x: float64[3]) { return y }", REGISTRY)  # there is no y

    Works::

        from bital.primitives import REGISTRY
        from bital.program import parse

        parse("program f(x: float64[3]) { return x }", REGISTRY)
    """


class ShapeError(BitalError, ValueError):
    """Shapes that do not fit together, or that would broadcast by accident.

    Fails::

        y, outputs = np.ones(100), np.zeros((100, 1))
        bital.nn.mean_squared_error(y, outputs)

    Works::

        y, outputs = np.ones(100), np.zeros((100, 1))
        bital.nn.mean_squared_error(y[:, np.newaxis], outputs)
    """


class ArgumentError(BitalError, ValueError):
    """An argument with a value, type or combination that is not allowed.

    Fails::

        bital.grad(lambda w, x: np.sum(w * x), argnums=2)(x, x)

    Works::

        bital.grad(lambda w, x: np.sum(w * x), argnums=1)(x, x)
    """


class ExecutorError(BitalError, ValueError):
    """An executor that does not exist or is not installed.

    Fails::

        bital.jit(np.sin, executor="nativ")(x)

    Works::

        bital.jit(np.sin, executor="native")(x)  # after pip install 'bital[native]'
    """


class DataError(BitalError, ValueError):
    """Data that a model cannot be trained, tested or asked with.

    Fails::

        model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
        model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
        model.fit(np.ones((2, 3)), np.array(["cat", "dog"]), verbose=0)

    Works::

        model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
        model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
        classes, y = np.unique(["cat", "dog"], return_inverse=True)
        model.fit(np.ones((2, 3)), y, verbose=0)
    """


class ModelStateError(BitalError, RuntimeError):
    """A model was asked for something before the step that makes it possible.

    Fails::

        model = keras.Sequential([keras.layers.Dense(1)])
        model.fit(np.ones((4, 3)), np.ones(4), verbose=0)  # not compiled

    Works::

        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(optimizer="sgd", loss="mse")
        model.fit(np.ones((4, 3)), np.ones(4), verbose=0)
    """


class ModelFileError(BitalError, ValueError):
    """A file that is not a whole, valid model of this program.

    Fails::

        from pathlib import Path

        Path("model.bital").write_bytes(b"half of a download")
        keras.models.load_model("model.bital")

    Works::

        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
        model.save("model.bital")
        keras.models.load_model("model.bital")
    """


class CheckpointError(BitalError, RuntimeError):
    """A folder of checkpoints that this training cannot go on from, or cannot write to.

    Fails::

        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.ones((4, 3)), np.ones(4), verbose=0, resume="run")
        model.fit(np.ones((5, 3)), np.ones(5), verbose=0, resume="run")  # other data

    Works::

        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.ones((4, 3)), np.ones(4), verbose=0, resume="run")
        model.fit(np.ones((4, 3)), np.ones(4), verbose=0, resume="run", epochs=3)
    """


class StudyError(BitalError, RuntimeError):
    """A study of hyperparameters on disk that this search cannot go on with.

    Fails::

        def build(units):
            model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
            return model

        data = {"X": np.ones((8, 3)), "y": np.ones(8), "cv": 2, "storage": "study.journal"}
        bital.tune.search(build, {"units": [1, 2]}, n_trials=2, **data)
        bital.tune.search(build, {"units": [1, 9]}, n_trials=4, **data)  # another space

    Works::

        def build(units):
            model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
            return model

        data = {"X": np.ones((8, 3)), "y": np.ones(8), "cv": 2, "storage": "study.journal"}
        bital.tune.search(build, {"units": [1, 2]}, n_trials=2, **data)
        bital.tune.search(build, {"units": [1, 2]}, n_trials=4, **data)  # two more trials
        bital.tune.search(build, {"units": [1, 9]}, n_trials=4, name="second", **data)
    """


class NonFiniteLossError(BitalError, FloatingPointError):
    """The loss became NaN or infinite during training.

    Fails::

        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(learning_rate=1e30), loss="mse")
        model.fit(np.ones((4, 3)), np.ones(4), epochs=9, verbose=0)

    Works::

        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.01, clipnorm=1.0), loss="mse")
        model.fit(np.ones((4, 3)), np.ones(4), epochs=9, verbose=0)
    """


class NonFiniteError(BitalError, FloatingPointError):
    """A NaN or an infinity was made, within ``bital.debug_nans``.

    The message names the operation, its line, the pass and the ranges of its operands; the
    attributes ``operation``, ``direction`` ("forward" or "backward"), ``source`` (file, line),
    ``scope`` (of layers), ``rows`` and ``shape`` (of what was made) hold the same for programs.

    Fails::

        with bital.debug_nans():
            bital.grad(lambda x: np.sqrt(np.abs(x)))(0.0)

    Works::

        with bital.debug_nans():
            bital.grad(lambda x: np.sqrt(np.abs(x) + 1e-12))(0.0)
    """

    def __init__(
        self,
        message: str,
        operation: str | None = None,
        direction: str | None = None,
        source: tuple[str, int] | None = None,
        scope: str = "",
        rows: object = None,
        shape: tuple[int, ...] = (),
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.direction = direction
        self.source = source
        self.scope = scope
        self.rows = rows
        self.shape = shape


class DatasetError(BitalError, OSError):
    """A data file of the package is missing or is not the one that belongs there.

    Fails::

        bital.datasets.mnist.load_data()  # with a damaged installation

    Works::

        $ pip install --force-reinstall --no-deps bital
    """


class ProcessLostError(BitalError, ConnectionError):
    """A process of a distributed run was killed, stopped, failed, or cannot be reached.

    The others cannot go on without it, and end too. Where the training writes checkpoints, the same
    command goes on from the last one, with as many processes as there are then.

    Fails::

        $ bital train mnist --executor xla --distributed  # and one of its machines goes down

    Works::

        $ bital train mnist --executor xla --distributed --resume runs/mnist-1
    """


class MissingExtraError(BitalError, ImportError):
    """A library that bital uses only on request is not installed.

    Fails::

        $ bital predict runs/mnist-1 seven.png  # without Pillow

    Works::

        $ pip install pillow  # or bital with its extra "cli"
    """


class RunFolderError(BitalError, OSError):
    """A folder is not that of a training run, or a new run cannot use it.

    Fails::

        $ bital train mnist --out results  # results/ holds files already

    Works::

        $ bital train mnist --out results/second
    """


class ImageFileError(BitalError, ValueError):
    """A file does not hold pictures of digits that a network can be given.

    Fails::

        np.save("digits.npy", np.zeros((5, 14, 28)))  # halves of images
        $ bital predict runs/mnist-1 digits.npy

    Works::

        np.save("digits.npy", np.zeros((5, 28, 28)))
        $ bital predict runs/mnist-1 digits.npy
    """


class TableFileError(BitalError, ValueError):
    """A file that does not exist, or does not hold a table with names of its columns.

    Fails::

        from pathlib import Path

        Path("points.csv").write_text("1.5,2\\n3,4\\n")
        bital.tables.read_table("points.csv")

    Works::

        from pathlib import Path

        Path("points.csv").write_text("x,y\\n1.5,2\\n3,4\\n")
        bital.tables.read_table("points.csv")
    """


class UnsupportedAttributeError(BitalError, AttributeError):
    """An attribute or method of arrays that a traced value does not have.

    Fails::

        bital.grad(lambda x: x.byteswap().sum())(x)

    Works::

        bital.grad(lambda x: x.sum())(x.byteswap())
    """


class IndexOutOfBoundsError(BitalError, IndexError):
    """Compiled code met an index, from data, that lies outside of the array.

    Fails::

        bital.jit(lambda x, i: x[i], executor="native")(np.zeros(3), np.array([0, 3]))

    Works::

        bital.jit(lambda x, i: np.take(x, i, mode="clip"), executor="native")(
            np.zeros(3), np.array([0, 3])
        )
    """


class MemoryLimitError(BitalError, MemoryError):
    """A compiled function needs more memory than this process may have.

    The message tells the bytes of arguments, arena and results, which ``Program.memory()`` tells
    too, before anything runs.

    Fails::

        bital.jit(lambda x: np.exp(x[:, None] - x))(np.zeros(10**7))  # (10**7, 10**7)

    Works::

        bital.jit(lambda x: np.exp(x[:, None] - x))(np.zeros(10**3))
    """


class MemoryCorruptionError(BitalError, RuntimeError):
    """Compiled code wrote outside of its memory: a fault of bital itself, please report it.

    It is looked for only where the environment variable BITAL_RED_ZONES is 1 while a function is
    compiled: then every buffer has its own memory with guarded bytes around it.

    Fails::

        bital.jit(np.sin, executor="native")(x)  # if the machine code made of it is wrong

    Works::

        bital.jit(np.sin, executor="numpy")(x)  # until that is repaired
    """


class BroadcastWarning(UserWarning):
    """``(n,)`` met ``(n, 1)`` in an elementwise operation, and the ``(n, n)`` result is reduced.

    Seldom is that meant: a mean over all pairs of samples stands where one over the samples should.
    A column that is made on the spot, as by ``x[:, np.newaxis]``, is taken as meant.

    Fails::

        bital.jit(lambda y, p: np.mean((y - p) ** 2))(np.ones(3), np.ones((3, 1)))

    Works::

        bital.jit(lambda y, p: np.mean((y[:, np.newaxis] - p) ** 2))(np.ones(3), np.ones((3, 1)))
    """


class TableWarning(UserWarning):
    """A column of a table is not what it should be: ids, dates as text, a leaked target.

    Fails::

        encoder = bital.tables.TableEncoder()
        encoder.fit({"when": ["31.12.2024", "1.1.2025"]})  # dates, and only text to a program

    Works::

        encoder = bital.tables.TableEncoder()
        encoder.fit({"when": np.array(["2024-12-31", "2025-01-01"], "datetime64[D]")})
    """
