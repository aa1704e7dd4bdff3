"""Hyperparameter search for Keras: one file says what to search, one command searches it."""
