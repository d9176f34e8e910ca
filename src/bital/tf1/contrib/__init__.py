"""What stood in TensorFlow's ``contrib``: layers, learn, rnn."""

from bital.tf1.contrib import framework as framework
from bital.tf1.contrib import layers as layers
from bital.tf1.contrib import learn as learn
from bital.tf1.contrib import rnn as rnn
