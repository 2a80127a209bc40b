"""Pretrained networks from pixels to features."""
