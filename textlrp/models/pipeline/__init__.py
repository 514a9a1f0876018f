"""scikit-learn pipelines as models: exact explanations on the user's original text."""
