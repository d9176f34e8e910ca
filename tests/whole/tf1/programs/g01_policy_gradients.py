"""A policy learns to balance: gradients of many steps are kept, weighted by rewards, and fed back.

chapter: reinforcement learning
reaches: steps >= 60
numbers: shapes (actions are drawn)
runs: 20
"""

import numpy as np

import bital.tf1 as tf


class Pole:
    """A pole on a point that is pushed left or right; it ends when it leans too far."""

    def __init__(self, seed):
        self.rng = np.random.RandomState(seed)

    def reset(self):
        self.state = self.rng.uniform(-0.05, 0.05, 2)
        return self.state

    def step(self, action):
        angle, speed = self.state
        speed += 0.05 * (9.8 * np.sin(angle) - 4.0 * (1 if action else -1) * np.cos(angle))
        self.state = np.array([angle + 0.05 * speed, speed])
        return self.state, 1.0, abs(self.state[0]) > 0.4


n_inputs, n_hidden, n_outputs = 2, 8, 1
tf.set_random_seed(42)
initializer = tf.variance_scaling_initializer()
X = tf.placeholder(tf.float32, shape=[None, n_inputs])
hidden = tf.layers.dense(X, n_hidden, activation=tf.nn.elu, kernel_initializer=initializer)
logits = tf.layers.dense(hidden, n_outputs)
outputs = tf.nn.sigmoid(logits)  # the probability of action 0
p_left_and_right = tf.concat(axis=1, values=[outputs, 1 - outputs])
action = tf.multinomial(tf.log(p_left_and_right), num_samples=1)
y = 1.0 - tf.to_float(action)
cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits)
optimizer = tf.train.AdamOptimizer(0.05)
grads_and_vars = optimizer.compute_gradients(cross_entropy)
gradients = [grad for grad, variable in grads_and_vars]
gradient_placeholders = []
grads_and_vars_feed = []
for grad, variable in grads_and_vars:
    gradient_placeholder = tf.placeholder(tf.float32, shape=grad.get_shape())
    gradient_placeholders.append(gradient_placeholder)
    grads_and_vars_feed.append((gradient_placeholder, variable))
training_op = optimizer.apply_gradients(grads_and_vars_feed)


def discounted(rewards, rate):
    found, cumulative = np.empty(len(rewards)), 0
    for step in reversed(range(len(rewards))):
        cumulative = found[step] = rewards[step] + cumulative * rate
    return found


with tf.Session() as sess:
    tf.global_variables_initializer().run()
    env = Pole(0)
    for _iteration in range(12):
        all_rewards, all_gradients = [], []
        for _ in range(10):
            rewards, found = [], []
            obs = env.reset()
            for _ in range(150):
                action_val, gradients_val = sess.run(
                    [action, gradients], feed_dict={X: 5 * obs.reshape(1, n_inputs)}
                )
                obs, reward, done = env.step(action_val[0][0])
                rewards.append(reward)
                found.append(gradients_val)
                if done:
                    break
            all_rewards.append(discounted(rewards, 0.95))
            all_gradients.append(found)
        flat = np.concatenate(all_rewards)
        scaled = [(rewards - flat.mean()) / flat.std() for rewards in all_rewards]
        feed_dict = {}
        for index, placeholder in enumerate(gradient_placeholders):
            feed_dict[placeholder] = np.mean(
                [
                    reward * all_gradients[game][step][index]
                    for game, rewards in enumerate(scaled)
                    for step, reward in enumerate(rewards)
                ],
                axis=0,
            )
        sess.run(training_op, feed_dict=feed_dict)
    steps = np.mean([len(rewards) for rewards in all_rewards])
    print(steps)
