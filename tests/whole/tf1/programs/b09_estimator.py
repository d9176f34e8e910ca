"""tf.estimator.DNNClassifier with numeric columns and numpy_input_fn.

chapter: artificial networks
reaches: accuracy >= 0.96
numbers: no (TensorFlow 2.21 has no tf.estimator)
"""

import numpy as np
from tf1_data import mnist

import bital.tf1 as tf

X_train, t_train, X_test, t_test = mnist(55000)

feature_cols = [tf.feature_column.numeric_column("X", shape=[28 * 28])]
dnn_clf = tf.estimator.DNNClassifier(
    hidden_units=[300, 100], n_classes=10, feature_columns=feature_cols
)
input_fn = tf.estimator.inputs.numpy_input_fn(
    x={"X": X_train}, y=t_train, num_epochs=3, batch_size=50, shuffle=True
)
dnn_clf.train(input_fn=input_fn)

test_input_fn = tf.estimator.inputs.numpy_input_fn(x={"X": X_test}, y=t_test, shuffle=False)
eval_results = dnn_clf.evaluate(input_fn=test_input_fn)
accuracy = eval_results["accuracy"]

predictions = list(dnn_clf.predict(input_fn=test_input_fn))
assert len(predictions) == 10000
found = np.array([each["class_ids"][0] for each in predictions])
assert abs(np.mean(found == t_test) - accuracy) < 1e-6
