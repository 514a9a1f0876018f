"""Tables of the words of each class: unseen words have a sign, and unknown counts have no column."""

import pytest

from textlrp.class_words import ClassWord, ClassWords
from textlrp.cli.word_tables import word_listings, words_of_classes
from textlrp.errors import DataError


def listings(*words, phrases=()):
    return list(word_listings([ClassWords("med", 1_200, tuple(words), tuple(phrases))]))


def test_words_in_no_training_text_have_a_sign_and_a_note():
    (listing,) = listings(ClassWord("fever", 2.5, 3, 1_100, ("a", "b")), ClassWord("malaise", -1.0, 1, 0, ("c",)))
    assert listing.title == "med: 1,200 documents explained for this class"
    assert listing.headings == ("word", "relevance", "documents", "training documents", "examples")
    assert listing.rows == (("fever", "+2.50", "3", "1,100", "a, b"), ("malaise †", "−1.00", "1", "0", "c"))
    assert listing.note.startswith("† marks a word that occurs in no training document")


def test_unknown_counts_have_no_column_and_no_sign():
    phrase = ClassWord("a fever", 1.0, 1, None, ("a",))
    seen, phrases = listings(ClassWord("fever", 2.5, 3, 1, ("a",)), phrases=[phrase])
    assert (seen.note, phrases.note) == ("", "")
    assert phrases.title == "med: phrases (n-grams)"
    assert phrases.headings == ("phrase", "relevance", "documents", "examples")
    assert phrases.rows == (("a fever", "+1.00", "1", "a"),)


def test_no_text_is_an_error():
    from toys import fitted

    with pytest.raises(DataError, match="the input has no texts"):
        words_of_classes(fitted("svm"), [])
