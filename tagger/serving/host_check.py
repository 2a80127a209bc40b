"""Which pages of a browser may ask the server: its own, and nobody else's.

A server without a password on a loopback address is protected by nothing but the address. Two ways lead around it, and
both show in the request's headers: a page of another site that posts to http://127.0.0.1:8501 (its Origin says so),
and a site whose name is made to point to 127.0.0.1 after its page was loaded (DNS rebinding: the Host is its name).
An address as Host is always right, as it cannot be rebound; a name has to be known.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

ANY = "*"


def refusal(host: str | None, origin: str | None, names: Collection[str]) -> str | None:
    """Why a request is not answered; None where it is.

    Args:
      host: the Host header, such as "localhost:8501"; None where there is none, which no browser does.
      origin: the Origin header, such as "http://localhost:8501"; None where there is none.
      names: host names, in lower case, that this server has beside localhost and its addresses; "*": any.
    """
    if host is None:
        return None
    name = _name(f"//{host}")
    if not (name == "localhost" or name.endswith(".localhost") or _is_address(name) or _is_in(name, names)):
        return (f"this server is not known as {name[:100]!r}; ask it by its address, or start it with "
                "--allowed_hosts=NAME")
    if origin is None or origin.partition("://")[2].lower() == host.lower():
        return None
    if _is_in(_name(origin), names):
        return None
    return f"a page of {origin[:100]!r} may not ask this server; --allowed_hosts=NAME allows those of one more host"


def _name(url: str) -> str:
    """The host's name in lower case, without port and final dot; "" where there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_in(name: str, names: Collection[str]) -> bool:
    return bool(name) and (name in names or ANY in names)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
