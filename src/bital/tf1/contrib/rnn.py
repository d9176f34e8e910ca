"""`tf.contrib.rnn`: cells, and `static_rnn`."""

from bital.tf1.rnn import *  # noqa: F403
