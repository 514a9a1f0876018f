"""Is the explanation any good? Measures of explanations, as functions of a model, documents and methods."""
