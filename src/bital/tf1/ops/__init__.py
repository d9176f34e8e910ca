"""Operations: NumPy functions under TensorFlow's names."""
