"""Random numbers that depend on an explicit key alone.

A key is two 64-bit words. The same key gives the same numbers, in any order of calls, on every
executor, under every transform and with any number of threads; `split` and `fold_in` make new keys
that are independent of it. Under `vmap` over keys, row k holds what key k gives by itself.
"""

from bital.random.continuous import cauchy, exponential, gumbel, laplace, logistic
from bital.random.discrete import bernoulli, categorical, choice, permutation, poisson
from bital.random.gammas import beta, dirichlet, gamma, loggamma
from bital.random.keys import fold_in, key, split
from bital.random.normals import multivariate_normal, normal, truncated_normal
from bital.random.uniforms import bits, randint, uniform

__all__ = [
    "bernoulli",
    "beta",
    "bits",
    "categorical",
    "cauchy",
    "choice",
    "dirichlet",
    "exponential",
    "fold_in",
    "gamma",
    "gumbel",
    "key",
    "laplace",
    "loggamma",
    "logistic",
    "multivariate_normal",
    "normal",
    "permutation",
    "poisson",
    "randint",
    "split",
    "truncated_normal",
    "uniform",
]
