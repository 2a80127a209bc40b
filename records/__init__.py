"""Data at rest: caption tables -> checked images -> features -> TFRecord shards -> tf.data."""
