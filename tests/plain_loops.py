"""bital's loops and branches as Python writes them: what they must agree with."""

import numpy as np

import bital


def scan(f, init, xs=None, length=None, reverse=False):
    leaves = bital.tree.leaves(xs)
    length = len(leaves[0]) if leaves else length
    carry, ys = init, [None] * length
    for i in reversed(range(length)) if reverse else range(length):
        carry, ys[i] = f(carry, bital.tree.map(lambda x, i=i: x[i], xs))
    return carry, bital.tree.map(lambda *each: np.stack(each), *ys)


def cond(pred, true_fun, false_fun, *operands):
    return true_fun(*operands) if pred else false_fun(*operands)


def while_loop(cond_fun, body_fun, init_val):
    while cond_fun(init_val):
        init_val = body_fun(init_val)
    return init_val


def fori_loop(lower, upper, body_fun, init_val):
    for i in range(lower, upper):
        init_val = body_fun(i, init_val)
    return init_val
