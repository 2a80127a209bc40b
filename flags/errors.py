"""The one exception that is shown to a user as a line instead of a traceback."""


class UserError(Exception):
    """Bad input: the message names the flag, file or row, what was found, and the remedy.

    main.py prints it as one line on stderr and exits with status 1.
    """
