"""The way out of a records folder: tf.data datasets of captions and of images."""
