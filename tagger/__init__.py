"""The merge model: train, evaluate, decode, export, serve."""
