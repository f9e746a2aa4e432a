"""Text for the record: cleaned, escaped, and as narrative that a browser may show. Knows no resource.

What a patient typed stays text: every piece is escaped here and nowhere else, and the only tags are ours.
"""

import re
from collections.abc import Iterable
from html import escape
from typing import Any

XHTML = "http://www.w3.org/1999/xhtml"
TAGS = frozenset({"div", "p", "ul", "li", "b", "q", "br"})
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean_text(text: str) -> str:
    """Without what neither XML nor JSON may hold; what is lost leaves a mark."""
    return _FORBIDDEN.sub("\ufffd", text).strip()


def clean_language(language: str) -> str | None:
    """A language tag, None where it is none."""
    return language if _LANGUAGE.fullmatch(language) else None


def write_inline(text: str) -> str:
    """Escaped; line breaks stay visible."""
    return "<br/>".join(escape(line, quote=True) for line in clean_text(text).splitlines())


def write_paragraph(text: str, label: str = "") -> str:
    """One paragraph, empty where there is nothing to say."""
    if not clean_text(text):
        return ""
    return f"<p>{f'<b>{escape(label)}:</b> ' if label else ''}{write_inline(text)}</p>"


def write_list(items: Iterable[str], label: str = "") -> str:
    """A list of texts, empty where there are none."""
    return join_items([write_inline(item) for item in items if clean_text(item)], label)


def join_items(rows: list[str], label: str = "") -> str:
    """Ready rows as a list."""
    head = f"<p><b>{escape(label)}</b></p>" if label else ""
    return f"{head}<ul>{''.join(f'<li>{row}</li>' for row in rows)}</ul>" if rows else ""


def narrative(*blocks: str) -> dict[str, Any] | None:
    """Blocks as a Narrative; None where all are empty."""
    body = "".join(blocks)
    return {"status": "additional", "div": f'<div xmlns="{XHTML}">{body}</div>'} if body else None
