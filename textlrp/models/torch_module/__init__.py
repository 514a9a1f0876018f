"""Your own PyTorch modules: ``textlrp.wrap`` and what it needs to call, copy and explain a module."""
