"""--mode=serve: TensorFlow Serving's REST routes for one SavedModel, and a page to drop photos on."""

import re

from flags.errors import UserError
from flags.serve import Serve
from tagger.serving.server import serve


def run(config: Serve) -> int:
    """Serves until it is asked to end; the exit status is 0 after SIGTERM, 130 after Ctrl-C.

    Raises:
      UserError: --name is no part of a route, there is no SavedModel, or the address cannot be listened on.
    """
    if not re.fullmatch(r"[\w. -]+", config.name):
        raise UserError(f"--name={config.name!a}: expected letters, digits, spaces, dots, dashes and underscores, as "
                        "it becomes a part of the routes")
    return serve(config)
