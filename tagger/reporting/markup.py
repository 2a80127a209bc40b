"""HTML that is safe from injection: every string that is not `Html` is text, and is escaped.

    tag("td", "a < b", class_="best")        <td class="best">a &lt; b</td>
    tag("tr", cells)                         children may be lists

Only `tag`, `join` and `document` make Html, so that no value read from a file reaches a page in any other way.
"""

import base64
import html
from collections.abc import Iterable

_VOID = frozenset({"br", "img", "link", "meta"})


class Html(str):
    """Markup made by this module, which needs no escaping."""


Child = object  # Html, a text, a number, None for nothing, or an iterable of these


def _rendered(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str) or not isinstance(child, Iterable):
        return html.escape(str(child).encode(errors="replace").decode())
    return "".join(map(_rendered, child))


def tag(name: str, /, *children: Child, **attributes: object) -> Html:
    """An element. Attributes are named as in Python (class_, aria_label); those that are None are left out."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{_rendered(str(value))}"'
                      for key, value in attributes.items() if value is not None)
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{_rendered(children)}</{name}>")


def join(*children: Child) -> Html:
    """The children one after the other, without an element around them."""
    return Html(_rendered(children))


def document(title: str, css: str, *body: Child) -> Html:
    """A whole page.

    Args:
      css: a style sheet of this program; the only text that is not escaped.
    """
    head = join(tag("meta", charset="utf-8"), tag("title", title),
                tag("meta", name="viewport", content="width=device-width, initial-scale=1"))
    return Html(f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{css}</style></head>'
                f'{tag("body", *body)}</html>\n')


def data_url(data: bytes, kind: str) -> str:
    """A data: URL that holds the bytes."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
