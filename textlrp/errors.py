"""Every error that textlrp raises on purpose.

::

    TextlrpError
    ├── DataError (ValueError)         a text, a label, a file or a corpus cannot be read as given
    ├── TargetError (ValueError)       the class to explain does not exist
    ├── RuleError (ValueError)         a rule or composite does not fit the trace
    ├── ModelError (ValueError)        a saved model is missing, damaged or from a newer version
    ├── OptionError (ValueError)       an option of an estimator or a function is out of its range
    ├── MissingExtraError (ImportError)  an optional package is not installed
    └── StoppedError                   Ctrl-C ended a long run; what was done is kept

Each message has the form ``<parameter> must be <what>; got <value>.`` and ends with what to do: see :func:`must_be`.
The command line prints only the message and exits with code 2 (130 after Ctrl-C).
"""


class TextlrpError(Exception):
    """The root of the tree; catch it to catch them all."""


class DataError(TextlrpError, ValueError):
    """A text, a label, a file or a corpus cannot be read as given."""


class TargetError(TextlrpError, ValueError):
    """The class to explain does not exist."""


class RuleError(TextlrpError, ValueError):
    """A rule or composite does not fit the trace."""


class ModelError(TextlrpError, ValueError):
    """A saved model is missing, damaged or from a newer version."""


class OptionError(TextlrpError, ValueError):
    """An option of an estimator or a function is out of its range."""


class MissingExtraError(TextlrpError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


class StoppedError(TextlrpError):
    """Ctrl-C ended a long run; the message says where what was done is kept."""


def must_be(parameter: str, what: str, got: object, hint: str = "") -> str:
    """Return the message ``<parameter> must be <what>; got <value>. <hint>``.

    ``got`` is shown by its ``repr``. ``hint`` is a sentence that tells the reader what to do.

    >>> must_be("epochs", "at least 1", 0, "Pass epochs=20.")
    'epochs must be at least 1; got 0. Pass epochs=20.'
    """
    return f"{parameter} must be {what}; got {got!r}. {hint}".rstrip()
