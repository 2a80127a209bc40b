"""Predictions for a split, and the scores and pictures made of them."""
