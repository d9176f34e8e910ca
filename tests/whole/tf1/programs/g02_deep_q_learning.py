"""Deep Q-learning: an online and a target network, copied by operations that go by names.

chapter: reinforcement learning
reaches: best >= 0.99
reaches: same == 0
"""

import numpy as np

import bital.tf1 as tf

n_states, n_actions, goal = 9, 2, 8  # a corridor: the right end gives 1


def q_network(X_state, name):
    with tf.variable_scope(name) as scope:
        hidden = tf.layers.dense(X_state, 32, activation=tf.nn.relu, name="hidden")
        outputs = tf.layers.dense(hidden, n_actions, name="q_values")
    trainable_vars = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope=scope.name)
    by_name = {var.name[len(scope.name) :]: var for var in trainable_vars}
    return outputs, by_name


tf.set_random_seed(42)
X_state = tf.placeholder(tf.float32, shape=[None, n_states])
online_q_values, online_vars = q_network(X_state, name="q_networks/online")
target_q_values, target_vars = q_network(X_state, name="q_networks/target")
copy_ops = [target_var.assign(online_vars[name]) for name, target_var in target_vars.items()]
copy_online_to_target = tf.group(*copy_ops)
assert list(online_vars) == ["/hidden/kernel:0", "/hidden/bias:0", "/q_values/kernel:0",
                             "/q_values/bias:0"]  # fmt: skip

with tf.variable_scope("train"):
    X_action = tf.placeholder(tf.int32, shape=[None])
    y = tf.placeholder(tf.float32, shape=[None, 1])
    q_value = tf.reduce_sum(
        online_q_values * tf.one_hot(X_action, n_actions), axis=1, keepdims=True
    )
    error = tf.abs(y - q_value)
    clipped_error = tf.clip_by_value(error, 0.0, 1.0)
    linear_error = 2 * (error - clipped_error)
    loss = tf.reduce_mean(tf.square(clipped_error) + linear_error)
    global_step = tf.Variable(0, trainable=False, name="global_step")
    optimizer = tf.train.MomentumOptimizer(0.02, 0.9, use_nesterov=True)
    training_op = optimizer.minimize(loss, global_step=global_step)

eye = np.eye(n_states, dtype=np.float32)
rng = np.random.RandomState(0)
states = rng.randint(goal, size=2000)
actions = rng.randint(n_actions, size=2000)
following = np.clip(states + np.where(actions == 1, 1, -1), 0, goal)
rewards = (following == goal).astype(np.float32)

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    copy_online_to_target.run()
    for step in range(1500):
        rows = rng.randint(2000, size=50)
        next_q_values = target_q_values.eval(feed_dict={X_state: eye[following[rows]]})
        max_next = np.max(next_q_values, axis=1, keepdims=True)
        y_val = rewards[rows, None] + (following[rows, None] != goal) * 0.9 * max_next
        _, loss_val = sess.run(
            [training_op, loss],
            feed_dict={X_state: eye[states[rows]], X_action: actions[rows], y: y_val},
        )
        if step % 20 == 0:
            copy_online_to_target.run()
    copy_online_to_target.run()
    online, target = sess.run([online_q_values, target_q_values], {X_state: eye})
same = np.abs(online - target).max()
best = np.mean(online[:goal].argmax(axis=1) == 1)
