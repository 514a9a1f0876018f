"""The computation trace of any PyTorch module, recorded while it runs."""
