"""The exceptions of textlrp, and the helper that words their messages.

Catch :class:`TextlrpError` to catch all of them::

    TextlrpError
    ├── DataError (ValueError)           a text, a label, a file or a corpus cannot be used
    ├── TargetError (ValueError)         the class to explain does not exist
    ├── RuleError (ValueError)           a rule or composite does not fit the model
    ├── ModelError (ValueError)          a model cannot be loaded, or does not support the request
    ├── OptionError (ValueError)         an argument of an estimator or a function is out of range
    ├── MissingExtraError (ImportError)  an optional package is not installed
    └── StoppedError                     Ctrl-C stopped a long run; its finished work is kept

Most messages have the form ``<parameter> must be <what>; got <value>.`` (see :func:`must_be`), and all of them end
with what to do. The command line prints only the message, without a traceback, and exits with code 2 (130 after
Ctrl-C).
"""

import difflib
from collections.abc import Iterable


class TextlrpError(Exception):
    """The base class of all exceptions that textlrp raises intentionally."""


class DataError(TextlrpError, ValueError):
    """A text, a label, a file or a corpus cannot be used: it is missing, damaged, or has the wrong content."""


class TargetError(TextlrpError, ValueError):
    """The class to explain does not exist, or was not explained."""


class RuleError(TextlrpError, ValueError):
    """A rule or composite is unknown, or does not fit the layers of the model."""


class ModelError(TextlrpError, ValueError):
    """A model is missing, damaged, from a newer version, or does not support the requested operation."""


class OptionError(TextlrpError, ValueError):
    """An argument of an estimator or a function is out of range, or does not fit the other arguments."""


class MissingExtraError(TextlrpError, ImportError):
    """An optional package is not installed. The message contains the ``pip install`` command."""


class StoppedError(TextlrpError):
    """Ctrl-C stopped a long run. The message contains the path of the finished work."""


LONGEST = 300
"""The largest number of characters of a value in a message."""


def must_be(parameter: str, what: str, got: object, hint: str = "") -> str:
    """Return the error message ``<parameter> must be <what>; got <value>. <hint>``.

    ``got`` is the wrong value, shown as its ``repr``, or as its type if that has several lines or more than
    :data:`LONGEST` characters. ``hint`` is a sentence that tells the reader what to do.

    >>> must_be("epochs", "at least 1", 0, "Pass epochs=20.")
    'epochs must be at least 1; got 0. Pass epochs=20.'
    """
    shown = repr(got)
    if len(shown) > LONGEST or "\n" in shown:
        shown = f"an object of type {type(got).__name__}"
    return f"{parameter} must be {what}; got {shown}. {hint}".rstrip()


def missing_extra(what: str, package: str, extra: str) -> MissingExtraError:
    """Return the error for an optional package that is not installed.

    ``what`` is what needs the package, and ``extra`` is the extra of textlrp that installs it.

    >>> str(missing_extra("method 'lime'", "lime", "baselines"))
    "method 'lime' needs the package lime, which is not installed. Run: pip install 'textlrp[baselines]'"
    """
    return MissingExtraError(
        f"{what} needs the package {package}, which is not installed. Run: pip install 'textlrp[{extra}]'"
    )


def closest(value: str, names: Iterable[str]) -> str:
    """Return a sentence with the name most similar to a wrong one, ignoring case; empty if no name is similar.

    >>> closest("Gama", ["epsilon", "gamma"])
    " The closest name is 'gamma'."
    >>> closest("ig", ["epsilon", "gamma"])
    ''
    """
    folded = {name.casefold(): name for name in names}
    similar = difflib.get_close_matches(value.casefold(), folded, n=1, cutoff=0.6)
    return f" The closest name is {folded[similar[0]]!r}." if similar else ""
