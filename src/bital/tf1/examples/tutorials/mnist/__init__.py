"""MNIST, as the tutorials read it."""

from bital.tf1.examples.tutorials.mnist import input_data as input_data
