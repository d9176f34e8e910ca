"""Layers that prepare data: scales, categories, vocabularies, images."""
