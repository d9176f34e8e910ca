"""① Program: what was recorded, as typed equations in single-assignment form.

Imports NumPy only. ``types`` says what a Program is, ``builder`` grows one, ``check`` proves it
well formed, ``text`` prints and parses it.
"""

from bital.program.builder import Builder as Builder
from bital.program.builder import building as building
from bital.program.builder import current_builder as current_builder
from bital.program.builder import inline as inline
from bital.program.builder import substitute as substitute
from bital.program.check import check as check
from bital.program.text import parse as parse
from bital.program.types import Array as Array
from bital.program.types import ArrayType as ArrayType
from bital.program.types import Atom as Atom
from bital.program.types import Equation as Equation
from bital.program.types import Literal as Literal
from bital.program.types import Operation as Operation
from bital.program.types import Params as Params
from bital.program.types import Program as Program
from bital.program.types import SourceLocation as SourceLocation
from bital.program.types import Var as Var
from bital.program.types import subprograms as subprograms
from bital.program.types import type_of as type_of
