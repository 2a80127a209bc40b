"""The merge model and its layers."""
