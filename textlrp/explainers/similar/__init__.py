"""Explain why two texts are similar, and find the most similar documents of a corpus."""
