"""Flags of --mode=serve."""

import dataclasses

from flags.spec import Flags, flag


@dataclasses.dataclass(frozen=True)
class Serve(Flags):
    """Answers TensorFlow Serving's REST requests with an exported SavedModel."""

    export_dir: str = flag(help="Folder that export wrote; its newest version is served.", path=True)
    name: str = flag("tagger", "The model's name in the routes: /v1/models/NAME:predict.")
    host: str = flag("127.0.0.1", "Address to listen on. The default is reachable from this machine only; there is "
                                  "no encryption and no password, so think before you open it to a network.")
    allowed_hosts: tuple[str, ...] = flag(
        (), "Names under which the server is asked, beside localhost, --host and addresses, and whose pages may ask "
            "it; * for any. Others are refused, so that no web page that somebody opens can use the server.")
    port: int = flag(8501, "Port to listen on (8501 is TensorFlow Serving's for REST); 0 takes a free one and says "
                           "which.", at_least=0, at_most=65535)
    max_request_mb: int = flag(64, "Larger requests are refused before they are read into memory; four of the "
                                   "largest are held at once.", at_least=1)
    max_batch: int = flag(256, "Requests with more photos are refused, so that one cannot hold up the others.",
                          at_least=1)
    together: int = flag(32, "Photos of several clients' requests computed as one batch: those that came while the "
                             "model was busy. 1 computes each request by itself.", at_least=1)
    threads: int = flag(1, "Batches computed at the same time, each in memory of its own. What clients ask meanwhile "
                           "waits, and is computed together.", at_least=1)
