"""The page of ``textlrp shortcuts``: groups of documents whose prediction rests on the same few words."""
