"""Pages that show explanations side by side: two models or rules, or one document under several methods."""
