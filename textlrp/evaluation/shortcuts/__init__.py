"""Find the shortcuts that a model takes: groups of documents whose prediction rests on the same few words."""
