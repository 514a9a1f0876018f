"""The page that shows why two texts are similar."""
