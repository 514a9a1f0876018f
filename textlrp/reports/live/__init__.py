"""The live page of ``textlrp serve``, and the HTML answers that it shows."""
