"""`tf.contrib.rnn`: the cells of `tf.nn.rnn_cell`, and `static_rnn`."""

from bital.tf1.rnn import static_bidirectional_rnn, static_rnn  # noqa: F401
from bital.tf1.rnn_cell import *  # noqa: F403
