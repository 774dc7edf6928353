"""The one exception that a caller is meant to catch."""


class ScratchmlError(ValueError):
    """Something the user can mend: a file, an option, data that cannot be used.

    Its message is one line that says what is wrong and what to do. The command line prints that
    line; every other exception is a bug and keeps its traceback.
    """
