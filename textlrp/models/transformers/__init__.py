"""Transformers: models of Hugging Face, and how their tokenizers read a text as words and pieces."""
