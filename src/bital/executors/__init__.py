"""⑥ Executors: Program -> callable. Each is one folder and one entry in the table."""

from bital.executors.executor import Compiled as Compiled
from bital.executors.executor import Executor as Executor
from bital.executors.executor import get_executor as get_executor
from bital.executors.executor import is_installed as is_installed
from bital.executors.numpy import to_numpy as to_numpy
