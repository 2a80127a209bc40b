"""--mode=serve: TensorFlow Serving's REST routes for one SavedModel, and a page to drop photos on."""

from flags.errors import UserError
from flags.serve import Serve
from tagger.serving.server import serve


def run(config: Serve) -> None:
    """Serves until it is interrupted.

    Raises:
      UserError: a flag is out of its range, there is no SavedModel, or the address cannot be listened on.
    """
    for name, value in (("max_request_mb", config.max_request_mb), ("max_batch", config.max_batch),
                        ("together", config.together), ("threads", config.threads)):
        if value < 1:
            raise UserError(f"--{name}={value}: expected at least 1")
    if not 0 <= config.port < 1 << 16:
        raise UserError(f"--port={config.port}: expected 0 to 65535")
    serve(config)
