"""Tracers: stand-ins for arrays that record what NumPy is asked to do with them."""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from bital.errors import ArgumentError, LeakedTracerError, SupersededArrayError, ViewError
from bital.numpy_language.leaks import (
    assignment_error,
    attribute_error,
    conversion_error,
    hidden_refusal,
    unknown_value_error,
)
from bital.numpy_language.methods import ArrayMethods
from bital.numpy_language.source import user_location
from bital.primitives import Primitive
from bital.program import (
    Array,
    ArrayType,
    Atom,
    Builder,
    Equation,
    Literal,
    Program,
    Var,
    inline,
    type_of,
)

# Results of these share memory with their operand in NumPy.
_VIEWS = frozenset({"reshape", "transpose", "broadcast_to", "slice", "real", "imag"})
_OVERLAP_EFFORT: Any = (
    1000  # enough to tell interleaved slices apart; beyond it they count as shared
)
# A Python number's dtype is open until it meets an array's: NumPy's "weak" scalars (NEP 50).
Kind = np.dtype[Any] | type
WEAK_DTYPES: dict[type, np.dtype[Any]] = {  # and the dtypes that they have by themselves
    int: np.dtype(np.int64),
    float: np.dtype(np.float64),
    complex: np.dtype(np.complex128),
}
_DEFAULT_DTYPES = {bool: np.dtype(bool), **WEAK_DTYPES}


_NO_INDEX = object()


class _Memory:
    """What a traced array and its views would share in NumPy.

    Attributes
    ----------
    version : int
        How often it was written to.
    tracers : list of weak references
        The array itself, then its views.
    owes : bool
        Whether a view was written to by ``v += x`` and the array has not received it yet.
    """

    __slots__ = ("owes", "tracers", "version")

    def __init__(self, root: Tracer) -> None:
        self.version = 0
        self.tracers = [weakref.ref(root)]
        self.owes = False

    def is_root(self, tracer: Tracer) -> bool:
        return self.tracers[0]() is tracer

    def holds_others(self, tracer: Tracer) -> bool:
        """Whether another of these tracers is still in somebody's hands."""
        return any(
            each is not None and each is not tracer for each in (ref() for ref in self.tracers)
        )


class Trace:
    """One function being recorded.

    Parameters
    ----------
    name : str
    values_known : bool
        Whether inputs have values, so that Python may branch on results. They are computed only
        when somebody asks.
    freeze : bool
        Whether plain arrays become constants of the Program (copied), rather than extra inputs.
    """

    def __init__(self, name: str, *, values_known: bool, freeze: bool) -> None:
        self.builder = Builder(name)
        self.values: dict[Var, Any] | None = {} if values_known else None
        self.freeze = freeze
        self.captured: list[Any] = []  # arrays, and tracers of outer traces, behind extra inputs
        self.bound: list[Equation] = []  # what was recorded call by call, not inlined
        self.superseded: list[Array] = []
        self.is_open = True
        self._lifted: dict[Var, Var] = {}
        # by id: the array, kept so that its id stays its own; its copy; the variable
        self._arrays: dict[int, tuple[Array, Array, Var]] = {}
        self._evaluated = 0

    def lift(self, tracer: Tracer) -> Atom:
        """The atom of a tracer in this trace; one of an outer trace becomes an extra input."""
        tracer._check_view()
        owner = tracer._trace
        if owner is self:
            return tracer._atom
        tracer.require_open()
        atom = tracer._atom
        if isinstance(atom, Literal):
            return atom
        if atom not in self._lifted:
            self._lifted[atom] = self._capture(tracer, atom.type, atom.name)
        return self._lifted[atom]

    def lift_array(self, array: Array) -> Atom:
        """A plain array as a constant or as an extra input.

        What is recorded is a copy, since the user may go on writing to the array.
        """
        if self.superseded:
            self.check_superseded(array)
        if not array.shape:
            return Literal(array[()], array.dtype)
        known = self._arrays.get(id(array))
        if known is not None and _same_bits(known[1], array):
            return known[2]
        copy = array.copy()
        if self.freeze:
            var = self.builder.constant(copy)
        else:
            var = self._capture(copy, type_of(copy), None)
        self._arrays[id(array)] = (array, copy, var)
        return var

    def _capture(self, value: Any, type: ArrayType, name: str | None) -> Var:
        var = self.builder.input(type, name)
        self.captured.append(value)
        if self.values is not None:
            known = value.known_value() if isinstance(value, Tracer) else value
            if known is not None:
                self.values[var] = known
        return var

    def supersede(self, array: Array) -> None:
        self.superseded.append(array)

    def check_superseded(self, array: Array) -> None:
        if any(np.may_share_memory(array, old, _OVERLAP_EFFORT) for old in self.superseded):
            raise SupersededArrayError(
                f"an array of shape {array.shape} is used after a traced value was added into it "
                "in place (`o += x` or out=o). The sum lives in the traced value that took its "
                "name; this array still holds the numbers from before. Write `o = o + x` and use o"
            )

    def value(self, atom: Atom) -> Any:
        """What an atom holds, or None where that is unknown."""
        if isinstance(atom, Literal):
            return atom.value
        if self.values is None:
            return None
        if atom not in self.values:
            self._evaluate()
        return self.values.get(atom)

    def _evaluate(self) -> None:
        """Compute what was recorded since last time, with the primitives' references."""
        assert self.values is not None
        pending = self.builder.equations[self._evaluated :]
        self._evaluated = len(self.builder.equations)
        with np.errstate(all="ignore"):
            for equation in pending:
                inputs = [
                    self.values.get(atom) if isinstance(atom, Var) else atom.value
                    for atom in equation.inputs
                ]
                if any(value is None for value in inputs):
                    continue
                primitive = equation.primitive
                result = primitive.reference(*inputs, **equation.params)
                results = result if primitive.multiple_results else [result]
                self.values.update(zip(equation.outputs, results, strict=True))

    def inline(self, program: Program, arguments: Sequence[Any]) -> list[Tracer]:
        """Append a Program, applied to tracers and arrays."""
        atoms = [as_atom(self, argument) for argument in arguments]
        self.builder.source = user_location()
        outputs = inline(self.builder, program, atoms)
        self.builder.source = None
        return [Tracer(self, atom) for atom in outputs]


class _Stack(threading.local):
    def __init__(self) -> None:
        self.traces: list[Trace] = []


_stack = _Stack()


def current_trace() -> Trace | None:
    """The innermost trace of this thread."""
    return _stack.traces[-1] if _stack.traces else None


@contextmanager
def tracing(trace: Trace) -> Iterator[Trace]:
    """Record into `trace`; afterwards its tracers are dead."""
    _stack.traces.append(trace)
    try:
        yield trace
    except Exception as fault:
        hidden = hidden_refusal(fault)
        if hidden is None:
            raise
        raise hidden from fault
    finally:
        _stack.traces.pop()
        trace.is_open = False
        _name_variables(trace.bound)


def _name_variables(equations: Sequence[Equation]) -> None:
    """Give what an instruction computes last the name of the variable that it is stored in."""
    later = None
    for equation in reversed(equations):
        source = equation.source
        if source is not later and source is not None and source.name is not None:
            (out, *more) = equation.outputs
            if not more:
                out.name = out.name or source.name
        later = source


def bind(primitive: Primitive, *operands: Any, **params: Any) -> Any:
    """Record ``primitive(*operands, **params)``; operands are tracers, arrays or literals."""
    trace = innermost(operands)
    atoms = [as_atom(trace, operand) for operand in operands]
    builder = trace.builder
    builder.source = user_location()
    outputs = builder.add(primitive, atoms, params)
    builder.source = None
    trace.bound.append(builder.equations[-1])
    if primitive.multiple_results:
        return [Tracer(trace, var) for var in outputs]
    result = Tracer(trace, outputs[0])
    if primitive.name in _VIEWS and isinstance(operands[0], Tracer):
        result._become_view(operands[0])
    return result


def _same_bits(a: Array, b: Array) -> bool:
    """Whether b still holds what its copy a holds; 0.0 and -0.0 differ, a NaN equals itself."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind == "c":
        return _same_bits(a.real, b.real) and _same_bits(a.imag, b.imag)
    bits = f"u{a.dtype.itemsize}"
    return bool(np.array_equal(a.view(bits), b.view(bits)))


def innermost(operands: Sequence[Any]) -> Trace:
    """The trace to record into: the current one; for a dead tracer, an error."""
    for operand in operands:
        if isinstance(operand, Tracer) and not operand._trace.is_open:
            operand.require_open()
    trace = current_trace()
    if trace is None:
        raise LeakedTracerError(
            f"{operands[0]!r} is used in a thread that does not trace it; a traced function's "
            "values belong to the thread that called the transform"
        )
    return trace


def as_atom(trace: Trace, value: Any) -> Atom:
    if isinstance(value, Tracer):
        return trace.lift(value)
    if isinstance(value, (Literal, Var)):
        return value
    if type(value) in _DEFAULT_DTYPES:
        return Literal(value, _DEFAULT_DTYPES[type(value)])
    array = as_array(value)
    return trace.lift_array(array)


def as_array(value: Any) -> Array:
    """A plain operand as an array of a dtype that can be traced, or an error that says why not."""
    if isinstance(value, np.ma.MaskedArray):
        raise ArgumentError(
            f"a masked array (of shape {value.shape}) would lose its mask in a trace; "
            "write np.where(mask, filler, data)"
        )
    array = np.asarray(value)
    if array.dtype.kind not in "biufc" or array.dtype.itemsize > (
        16 if array.dtype.kind == "c" else 8
    ):
        raise ArgumentError(
            f"an operand of type {type(value).__name__} and dtype {array.dtype} cannot be traced: "
            "bital computes with bool, integer, floating and complex numbers of at most 64 bits "
            "(complex: 128). Convert it first, for example with .astype(np.float64)"
        )
    if not array.dtype.isnative:
        raise ArgumentError(
            f"an array of dtype {array.dtype} has foreign byte order; write "
            "a.astype(a.dtype.newbyteorder('='))"
        )
    return array


class Tracer(ArrayMethods):
    """An array whose values are being recorded. Made by bital, used through NumPy."""

    __slots__ = (
        "__weakref__",
        "_atom",
        "_index",
        "_memory",
        "_owed_to",
        "_seen",
        "_trace",
        "_version",
        "_weak",
    )
    __hash__ = None  # type: ignore[assignment]  # as an array's

    def __init__(self, trace: Trace, atom: Atom, weak: type | None = None) -> None:
        self._trace = trace
        self._atom = atom
        self._weak = weak  # the Python type of a number whose dtype is still open
        self._version = 0  # how often it was written to
        self._memory: _Memory | None = None
        self._seen = 0  # the version of the memory that it was taken from
        self._index: Any = _NO_INDEX  # for a view of an array: where in that array
        self._owed_to: _Memory | None = None  # for the result of v += x: the memory of v

    # --- what is known without values

    @property
    def shape(self) -> tuple[int, ...]:
        return self._atom.type.shape

    @shape.setter
    def shape(self, value: Any) -> NoReturn:
        raise assignment_error(self, "shape", f"x = x.reshape({value!r})")

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._atom.type.dtype

    @dtype.setter
    def dtype(self, value: Any) -> NoReturn:
        raise assignment_error(self, "dtype", "x = x.astype(dtype), which converts the values")

    @property
    def kind(self) -> Kind:
        """The dtype, or the Python type of a weak number."""
        return self._weak or self._atom.type.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return self._atom.type.size

    @property
    def nbytes(self) -> int:
        return self._atom.type.nbytes

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"{self!r} has no length: it is 0-d")
        return self.shape[0]

    def __repr__(self) -> str:
        atom = self._atom
        name = f" {atom.name}" if isinstance(atom, Var) and atom.name else ""
        value = self._trace.value(self._atom) if self._trace.is_open else None
        text = "" if value is None else f" = {np.array2string(np.asarray(value), threshold=8)}"
        return f"<traced{name}: {atom.type}{text}>"

    def require_open(self) -> None:
        """Raise if the function that this value belongs to has returned."""
        if not self._trace.is_open:
            raise LeakedTracerError(
                f"{self!r} belongs to a call that has returned, and was kept somewhere outside "
                "of it. Return such values from the function instead (has_aux=True beside a loss)"
            )

    def known_value(self) -> Any:
        """The value, or None where bital.jit or bital.vmap leave it unknown."""
        self._check_view()
        return self._trace.value(self._atom)

    # --- views and in-place writes

    def _become_view(self, operand: Tracer) -> None:
        if operand._memory is None:
            operand._memory = _Memory(operand)
        self._memory = operand._memory
        self._memory.tracers.append(weakref.ref(self))
        self._seen = operand._seen

    def _check_view(self) -> None:
        memory = self._memory
        if self._owed_to is not None or (memory is not None and memory.owes):
            raise self._write_to_view_error()
        if memory is not None and memory.version != self._seen:
            raise ViewError(
                f"{self!r} is a view of a traced array that was written to since the view was "
                "taken. Take the view again after the write, or .copy() it before"
            )

    def _write_to_view_error(self) -> ViewError:
        return ViewError(
            f"writing to a view does not reach the array that it views ({self!r} is one of the "
            "two). Write to that array itself (x[0, 1] = v instead of row = x[0]; row[1] = v), or "
            "make the view an array of its own with .copy()"
        )

    def _is_shared_view(self) -> bool:
        memory = self._memory
        return memory is not None and not memory.is_root(self) and memory.holds_others(self)

    def _is_scalar(self) -> bool:
        """Whether NumPy would have a scalar here: a value without memory that others could see."""
        memory = self._memory
        return not self.shape and (memory is None or memory.is_root(self))

    def owe(self, result: Tracer) -> Tracer:
        """Let `result` stand for this view after ``v += x``, until its array receives it.

        ``x[i] += y`` takes the view x[i], adds to it in place, and assigns the result to x[i].
        """
        memory = self._memory
        assert memory is not None
        memory.owes = True
        result._owed_to, result._index = memory, self._index
        return result

    def receive(self, index: Any, value: Any) -> None:
        """Settle what ``x[index] += y`` owes to x."""
        if not isinstance(value, Tracer) or value._owed_to is None:
            return
        memory, taken = self._memory, value._index
        same = index is taken or (isinstance(index, slice) and index == taken)
        if memory is value._owed_to and memory.is_root(self) and same:
            memory.owes = False
            value._owed_to = None

    def be_called(self, name: str) -> None:
        """Be called so in printed Programs and in errors."""
        if isinstance(self._atom, Var):
            self._atom.name = re.sub(r"\W+", "_", name)

    def write(self, value: Tracer) -> None:
        """Become another value of the same type: how in-place operations are recorded."""
        self._trace.lift(self)  # a dead tracer, or a view of an old value, raises here
        if self._trace is not current_trace():
            raise LeakedTracerError(
                f"{self!r} belongs to an outer function that is being traced, and is written to "
                "by an inner one (a function given to bital.grad, bital.jit, ...). The written "
                "value ends with the inner function: return it, and write in the outer one"
            )
        if self._is_shared_view():
            raise self._write_to_view_error()
        if self._memory is not None:
            self._memory.version += 1
            self._seen = self._memory.version
        self._atom = as_atom(self._trace, value)
        self._weak = None
        self._version += 1

    # --- the two protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from bital.numpy_language import dispatch

        return dispatch.call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        from bital.numpy_language import dispatch

        return dispatch.call_function(function, types, args, kwargs)

    # --- ways out of the trace: all closed, but for the truth and index of known values

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise conversion_error(self, "a plain array")

    def __float__(self) -> NoReturn:
        raise conversion_error(self, "a Python float")

    def __int__(self) -> NoReturn:
        raise conversion_error(self, "a Python int")

    def __complex__(self) -> NoReturn:
        raise conversion_error(self, "a Python complex")

    def __round__(self, digits: int | None = None) -> NoReturn:
        raise conversion_error(self, "a rounded Python number")

    def __trunc__(self) -> NoReturn:
        raise conversion_error(self, "a Python int")

    def item(self, *args: Any) -> NoReturn:
        raise conversion_error(self, "a Python number")

    def tolist(self) -> NoReturn:
        raise conversion_error(self, "a Python list")

    def __reduce__(self) -> NoReturn:
        raise conversion_error(self, "a pickle")

    def __getattr__(self, name: str) -> NoReturn:
        raise attribute_error(self, name)

    def __format__(self, spec: str) -> str:
        if spec:
            raise conversion_error(self, "formatted text")
        return repr(self)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"the truth value of an array with {self.size} elements is ambiguous: "
                "use x.any() or x.all()"
            )
        value = self.known_value()
        if value is None:
            raise unknown_value_error(self, "a truth value")
        return bool(value)

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.shape:
            raise conversion_error(self, "an index")
        value = self.known_value()
        if value is None:
            raise unknown_value_error(self, "an index")
        return int(value)
