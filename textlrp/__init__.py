"""textlrp: which words made a text classifier choose a category, by layer-wise relevance propagation."""

__version__ = "0.1.0"
