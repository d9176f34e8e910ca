"""The tables: a row for each supported NumPy name, and for each way of calling it that matters.

To add a NumPy function, add a row here; the tests in ``tests/conformance`` do the rest.
"""

from tables import (
    choosing,
    complex,
    cumulative,
    fourier,
    indexing,
    linalg,
    methods,
    own,
    products,
    reductions,
    shapes,
    sorting,
    special,
    special_distributions,
    statistics,
    ufuncs,
    windows,
)
from tables.row import COMPLEX as COMPLEX
from tables.row import DTYPES as DTYPES
from tables.row import FLOATS as FLOATS
from tables.row import INTEGERS as INTEGERS
from tables.row import TOLERANCES as TOLERANCES
from tables.row import Operand as Operand
from tables.row import Row as Row

ROWS: list[Row] = [
    *ufuncs.ROWS,
    *reductions.ROWS,
    *windows.ROWS,
    *special_distributions.ROWS,
    *statistics.ROWS,
    *sorting.ROWS,
    *cumulative.ROWS,
    *shapes.ROWS,
    *indexing.ROWS,
    *linalg.ROWS,
    *products.ROWS,
    *methods.ROWS,
    *own.ROWS,
    *complex.ROWS,
    *fourier.ROWS,
    *special.ROWS,
    *choosing.ROWS,
]
