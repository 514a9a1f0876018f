"""The compiled loops under the closed forms."""
