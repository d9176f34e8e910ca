"""What stood in TensorFlow's ``contrib``: layers, learn, rnn."""
