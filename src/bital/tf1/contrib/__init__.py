"""What stood in TensorFlow's ``contrib``: layers, learn, rnn."""

from bital.tf1.contrib import learn as learn
