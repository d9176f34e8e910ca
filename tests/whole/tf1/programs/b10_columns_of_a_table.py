"""Words and buckets as columns: vocabulary lists, hash buckets, embeddings, a regression.

chapter: artificial networks
reaches: error <= 0.35
numbers: no (TensorFlow 2.21 has no tf.estimator)
"""

import numpy as np
from tf1_data import table

import bital.tf1 as tf

X, t = table("diabetes")
y = (t / 100).astype(np.float32)
sex = np.where(X[:, 1] > 0, "one", "other")
decade = np.array([f"d{int(v)}" for v in np.digitize(X[:, 0], [-1, 0, 1])])
features = {"sex": sex, "decade": decade, "rest": X[:, 2:]}

columns = [
    tf.feature_column.numeric_column("rest", shape=[8]),
    tf.feature_column.indicator_column(
        tf.feature_column.categorical_column_with_vocabulary_list("sex", ["one", "other"])
    ),
    tf.feature_column.embedding_column(
        tf.feature_column.categorical_column_with_hash_bucket("decade", 20), dimension=2
    ),
]
regressor = tf.estimator.DNNRegressor(
    hidden_units=[20, 10],
    feature_columns=columns,
    optimizer=tf.train.AdamOptimizer(0.01),
    config=tf.estimator.RunConfig(tf_random_seed=1),
)
regressor.train(
    tf.estimator.inputs.numpy_input_fn(features, y, batch_size=32, num_epochs=40, shuffle=True)
)
test = tf.estimator.inputs.numpy_input_fn(features, y, batch_size=442, shuffle=False)
error = regressor.evaluate(test)["average_loss"]
found = np.array([each["predictions"][0] for each in regressor.predict(test)])
assert abs(((found - y) ** 2).mean() - error) < 1e-3
