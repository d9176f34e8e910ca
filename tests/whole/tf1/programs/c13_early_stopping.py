"""Training that stops early, writes checkpoints, and goes on where it was interrupted.

chapter: training deep nets
reaches: accuracy >= 0.93
reaches: resumed >= 5
"""

import os

import numpy as np
from tf1_data import batches, table

import bital.tf1 as tf

data, target = table("digits")
X_train, t_train, X_val, t_val = data[:1200], target[:1200], data[1200:], target[1200:]

tf.set_random_seed(42)
X = tf.placeholder(tf.float32, shape=(None, 64), name="X")
y = tf.placeholder(tf.int32, shape=(None,), name="y")
hidden = tf.layers.dense(X, 60, activation=tf.nn.relu, name="hidden")
logits = tf.layers.dense(hidden, 10, name="outputs")
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
training_op = tf.train.AdamOptimizer(0.01).minimize(loss)
accuracy_op = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))
init = tf.global_variables_initializer()
saver = tf.train.Saver()

checkpoint_path, epoch_path = "./my_deep.ckpt", "./my_deep.ckpt.epoch"
final_path = "./my_deep_final"


def train(interrupt_at=None):
    best_loss, without_progress, start_epoch = np.inf, 0, 0
    with tf.Session() as sess:
        if os.path.isfile(epoch_path):
            with open(epoch_path) as f:
                start_epoch = int(f.read())
            saver.restore(sess, checkpoint_path)
        else:
            sess.run(init)
        for epoch in range(start_epoch, 200):
            for X_batch, t_batch in batches(50, X_train, t_train, seed=epoch):
                sess.run(training_op, {X: X_batch, y: t_batch})
            acc_val, loss_val = sess.run([accuracy_op, loss], {X: X_val, y: t_val})
            if epoch == interrupt_at:
                return start_epoch, acc_val
            if epoch % 5 == 0:
                saver.save(sess, checkpoint_path)
                with open(epoch_path, "w") as f:
                    f.write(f"{epoch + 1}")
            if loss_val < best_loss:
                saver.save(sess, final_path)
                best_loss, without_progress = loss_val, 0
            else:
                without_progress += 1
                if without_progress > 10:
                    break
    os.remove(epoch_path)
    return start_epoch, acc_val


train(interrupt_at=7)
resumed, _ = train()
with tf.Session() as sess:
    saver.restore(sess, final_path)
    accuracy = accuracy_op.eval({X: X_val, y: t_val})
