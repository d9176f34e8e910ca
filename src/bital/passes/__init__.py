"""⑤ Passes: Program -> Program with the same meaning, cheaper."""

from bital.passes.lint import lint as lint
from bital.passes.memory import Plan as Plan
from bital.passes.memory import plan as plan
from bital.passes.pipeline import optimize as optimize
from bital.passes.stabilize import stabilize as stabilize
