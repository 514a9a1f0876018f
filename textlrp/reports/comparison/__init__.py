"""Pages with explanations side by side."""
