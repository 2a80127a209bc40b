"""The exported SavedModel: how it is built, stored, found and loaded again."""
