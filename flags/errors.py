"""The one exception that is shown to a user as a line instead of a traceback."""


class UserError(Exception):
    """Bad input: the message names the flag, file or row, what was found, and the remedy.

    main.py prints it as one line on stderr and exits with `status`.
    """

    status = 1


class TemporaryError(UserError):
    """Nothing is wrong with the command: started again as it is, it goes on. The message says so."""

    status = 75  # EX_TEMPFAIL of sysexits.h
