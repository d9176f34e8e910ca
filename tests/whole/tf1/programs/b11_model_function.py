"""A model function for tf.estimator.Estimator: three modes, one network, metrics by name.

chapter: artificial networks
reaches: accuracy >= 0.93
reaches: same == 1
numbers: no (TensorFlow 2.21 has no tf.estimator)
"""

import numpy as np
from tf1_data import table

import bital.tf1 as tf

data, target = table("digits")
target = target.astype(np.int32)


def cnn_model_fn(features, labels, mode):
    input_layer = tf.reshape(features["x"], [-1, 8, 8, 1])
    conv1 = tf.layers.conv2d(
        inputs=input_layer, filters=16, kernel_size=[3, 3], padding="same", activation=tf.nn.relu
    )
    pool1 = tf.layers.max_pooling2d(inputs=conv1, pool_size=[2, 2], strides=2)
    flat = tf.reshape(pool1, [-1, 4 * 4 * 16])
    dense = tf.layers.dense(inputs=flat, units=64, activation=tf.nn.relu)
    training = mode == tf.estimator.ModeKeys.TRAIN
    dropout = tf.layers.dropout(inputs=dense, rate=0.4, training=training)
    logits = tf.layers.dense(inputs=dropout, units=10)
    predictions = {
        "classes": tf.argmax(input=logits, axis=1),
        "probabilities": tf.nn.softmax(logits, name="softmax_tensor"),
    }
    if mode == tf.estimator.ModeKeys.PREDICT:
        return tf.estimator.EstimatorSpec(mode=mode, predictions=predictions)
    loss = tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=logits)
    if training:
        optimizer = tf.train.AdamOptimizer(0.005)
        train_op = optimizer.minimize(loss=loss, global_step=tf.train.get_global_step())
        return tf.estimator.EstimatorSpec(mode=mode, loss=loss, train_op=train_op)
    metrics = {"accuracy": tf.metrics.accuracy(labels=labels, predictions=predictions["classes"])}
    return tf.estimator.EstimatorSpec(mode=mode, loss=loss, eval_metric_ops=metrics)


classifier = tf.estimator.Estimator(model_fn=cnn_model_fn, model_dir="./model")
train_input_fn = tf.estimator.inputs.numpy_input_fn(
    x={"x": data[:1400]}, y=target[:1400], batch_size=50, num_epochs=None, shuffle=True
)
classifier.train(input_fn=train_input_fn, steps=400)
eval_input_fn = tf.estimator.inputs.numpy_input_fn(
    x={"x": data[1400:]}, y=target[1400:], num_epochs=1, shuffle=False
)
results = classifier.evaluate(input_fn=eval_input_fn)
accuracy = results["accuracy"]
assert results["global_step"] == 400
found = [each["classes"] for each in classifier.predict(input_fn=eval_input_fn)]
same = int(abs(np.mean(np.array(found) == target[1400:]) - accuracy) < 1e-6)
