"""contrib.learn.DNNClassifier in scikit-learn's manner, through SKCompat.

chapter: artificial networks
reaches: accuracy >= 0.96
numbers: no (TensorFlow 2 has no tf.contrib)
"""

import numpy as np
from tf1_data import mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(55000)

config = tf.contrib.learn.RunConfig(tf_random_seed=42)
feature_cols = tf.contrib.learn.infer_real_valued_columns_from_input(X_train)
dnn_clf = tf.contrib.learn.DNNClassifier(
    hidden_units=[300, 100], n_classes=10, feature_columns=feature_cols, config=config
)
dnn_clf = tf.contrib.learn.SKCompat(dnn_clf)
dnn_clf.fit(X_train, t_train, batch_size=50, steps=3000)

y_pred = dnn_clf.predict(X_test)
accuracy = np.mean(y_pred["classes"] == t_test)
assert y_pred["probabilities"].shape == (10000, 10)
