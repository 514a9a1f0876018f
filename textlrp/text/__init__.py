"""Read texts: corpora and file formats, tokenizers, vocabularies, word vectors, and batches of word ids.

Nothing here imports torch. :mod:`textlrp.text.corpora` loads corpora, :mod:`textlrp.text.tokens` makes tokenizers,
and :mod:`textlrp.text.encoding` turns texts into batches for the models.
"""
