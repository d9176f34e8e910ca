"""A graph is written first, and runs in a session: three ways to run it.

chapter: first steps
reaches: results == 42
reaches: nodes_computed == 2
"""

import bital.tf1 as tf

x = tf.Variable(3, name="x")
y = tf.Variable(4, name="y")
f = x * x * y + y + 2

with tf.Session() as sess:
    x.initializer.run()
    y.initializer.run()
    results = f.eval()

init = tf.global_variables_initializer()
with tf.Session() as sess:
    init.run()
    results = max(results, f.eval())

sess = tf.InteractiveSession()
init.run()
results = max(results, f.eval())
sess.close()

# What was written belongs to the default graph, or to the one of a with block.
assert x.graph is tf.get_default_graph()
other = tf.Graph()
with other.as_default():
    elsewhere = tf.Variable(2)
assert elsewhere.graph is other
assert elsewhere.graph is not tf.get_default_graph()

# Two values are computed together in one run.
w = tf.constant(3)
a = w + 2
b = a + 5
c = a * 3
with tf.Session() as sess:
    b_value, c_value = sess.run([b, c])
nodes_computed = int(b_value == 10) + int(c_value == 15)
