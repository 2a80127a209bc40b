"""Keras callbacks of a training: those that change it, and the reporters, which only watch."""
