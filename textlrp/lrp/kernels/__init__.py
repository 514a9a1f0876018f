"""Compiled loops for convolutional nets over words, and their torch versions for accelerators."""
