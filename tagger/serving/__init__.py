"""The reference server over an exported SavedModel."""
