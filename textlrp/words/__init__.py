"""What explanations say of words: the words read of a document, and those of a class over many. Numpy only."""
