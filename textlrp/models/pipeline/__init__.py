"""scikit-learn pipelines, explained on the user's own text."""
