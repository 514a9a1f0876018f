"""Run a whole evaluation: the plan, the measures, the stages kept on disk, and the results."""
