# ruff: noqa: F401, F403
"""TensorFlow 1's names: graphs that are written first and run in sessions.

Change one line of a first-edition book's program, ``import bital.tf1 as tf``, and it runs. What is
fetched in one `Session.run` is compiled to one native function, gradients and updates included.
"""

from bital.graphs.control import cond, group, identity, no_op, stop_gradient, while_loop
from bital.graphs.control import tuple_ as tuple
from bital.graphs.dtypes import DTYPES, DType, as_dtype
from bital.graphs.gradients import gradients
from bital.graphs.graph import (
    Graph,
    GraphKeys,
    Operation,
    Tensor,
    add_to_collection,
    control_dependencies,
    get_collection,
    get_collection_ref,
    get_default_graph,
    name_scope,
    reset_default_graph,
    set_random_seed,
)
from bital.graphs.operation import constant, convert_to_tensor
from bital.graphs.shapes import Dimension, TensorShape
from bital.tf1 import contrib as contrib
from bital.tf1 import errors as errors
from bital.tf1 import estimator as estimator
from bital.tf1 import feature_column as feature_column
from bital.tf1 import layers as layers
from bital.tf1 import losses as losses
from bital.tf1 import metrics as metrics
from bital.tf1 import nn as nn
from bital.tf1 import summary as summary
from bital.tf1 import train as train
from bital.tf1.initializers import (
    constant_initializer,
    glorot_normal_initializer,
    glorot_uniform_initializer,
    identity_initializer,
    ones_initializer,
    orthogonal_initializer,
    random_normal_initializer,
    random_uniform_initializer,
    truncated_normal_initializer,
    variance_scaling_initializer,
    zeros_initializer,
)
from bital.tf1.ops.arrays import *
from bital.tf1.ops.loops import *
from bital.tf1.ops.math import *
from bital.tf1.ops.random import *
from bital.tf1.refused import *
from bital.tf1.refused import refuse
from bital.tf1.session import InteractiveSession, Session, get_default_session
from bital.tf1.variables import (
    AUTO_REUSE,
    Variable,
    VariableScope,
    assign,
    assign_add,
    assign_sub,
    get_variable,
    get_variable_scope,
    global_variables,
    global_variables_initializer,
    local_variables,
    local_variables_initializer,
    scatter_update,
    trainable_variables,
    variable_scope,
    variables_initializer,
)

globals().update(DTYPES)  # tf.float32 and the others
for _module in (contrib, layers, losses, nn, summary, train):
    _module.__getattr__ = refuse(_module.__name__)
__getattr__ = refuse(__name__)

newaxis, __version__ = None, "1.15.0"  # whose names these are
