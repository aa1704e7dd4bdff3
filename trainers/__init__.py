"""Everything that knows Keras: data, words, training, and the built-in trainers."""
