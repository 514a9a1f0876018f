"""Reports of a whole corpus."""
