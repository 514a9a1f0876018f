"""Sentence encoders with a linear classifier on top: as trained elsewhere, and as an estimator of textlrp."""
