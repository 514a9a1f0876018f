"""Your own PyTorch module as a model."""
