"""A whole evaluation: its plan, its stages, its results and its page."""
