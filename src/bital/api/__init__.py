"""The engine's public functions, which join folders ① to ⑥.

``recording`` turns functions into Programs and runs Programs; the others are what users call.
"""

from bital.api.branch import cond as cond
from bital.api.checkpointing import checkpoint as checkpoint
from bital.api.compiling import eval_shape as eval_shape
from bital.api.compiling import jit as jit
from bital.api.compiling import trace as trace
from bital.api.control import fori_loop as fori_loop
from bital.api.control import scan as scan
from bital.api.control import while_loop as while_loop
from bital.api.custom import custom_jvp as custom_jvp
from bital.api.custom import custom_vjp as custom_vjp
from bital.api.custom import random_bits as random_bits
from bital.api.custom import stop_gradient as stop_gradient
from bital.api.derivatives import grad as grad
from bital.api.derivatives import jvp as jvp
from bital.api.derivatives import linearize as linearize
from bital.api.derivatives import value_and_grad as value_and_grad
from bital.api.derivatives import vjp as vjp
from bital.api.jacobians import hessian as hessian
from bital.api.jacobians import jacfwd as jacfwd
from bital.api.jacobians import jacobian as jacobian
from bital.api.jacobians import jacrev as jacrev
from bital.api.mapping import vmap as vmap
from bital.api.stored import from_text as from_text
from bital.api.stored import to_text as to_text
from bital.api.traces import count_traces as count_traces
from bital.api.views import named as named
