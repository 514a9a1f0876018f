"""Reports of many documents, on one page or in a folder: confusion matrix, words of each class, map, list."""
