"""--mode=serve: TensorFlow Serving's REST routes for one SavedModel, and a page to drop photos on."""

import re

from flags.errors import UserError
from flags.serve import Serve
from tagger.serving.server import serve


def run(config: Serve) -> int:
    """Serves until it is asked to end; the exit status is 0 after SIGTERM, 130 after Ctrl-C.

    Raises:
      UserError: a flag is out of its range, there is no SavedModel, or the address cannot be listened on.
    """
    for name, value in (("max_request_mb", config.max_request_mb), ("max_batch", config.max_batch),
                        ("together", config.together), ("threads", config.threads)):
        if value < 1:
            raise UserError(f"--{name}={value}: expected at least 1")
    if not 0 <= config.port < 1 << 16:
        raise UserError(f"--port={config.port}: expected 0 to 65535")
    if not re.fullmatch(r"[\w. -]+", config.name):
        raise UserError(f"--name={config.name!a}: expected letters, digits, spaces, dots, dashes and underscores, as "
                        "it becomes a part of the routes")
    return serve(config)
