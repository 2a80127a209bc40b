"""Reading a records folder: tf.data datasets of captions and of images."""
