"""LRP as modified gradients: the presets for transformers, for whole batches and many targets together."""
