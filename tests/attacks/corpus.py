"""Hostile words of our own: for pages, headers, queries, templates; and a reader that sees what got out."""

from html.parser import HTMLParser
from typing import Final

MARK: Final = "xq7z"  # stands in every name a payload could make: no tag or attribute of ours holds it
PRODUCT: Final = "7006652"  # 1234 * 5678: on a page only where a template was run
HOSTILE: Final = (
    f"<script>{MARK}()</script>",
    f"<{MARK}-a>bold</{MARK}-a>",
    f'"><img src=x {MARK}=1 onerror={MARK}()>',
    f"'><svg onload={MARK}()>",
    f'" autofocus onfocus={MARK}() {MARK}="',
    f"' onmouseover='{MARK}()' {MARK}='",
    f"</textarea><{MARK}-b>",
    f"</title><{MARK}-c>",
    f"</option></select><{MARK}-d>",
    f"</dd></dl></form><form action=//{MARK}.example><button>",
    f"--><{MARK}-e><!--",
    f"<!--><{MARK}-f>",
    f"]]><{MARK}-g>",
    f"<iframe srcdoc='<{MARK}-h>'></iframe>",
    f"javascript:{MARK}()//",
    f"JaVaScRiPt&colon;{MARK}()",
    f"data:text/html,<{MARK}-i>",
    f"<a href='java\tscript:{MARK}()'>x</a>",
    f"<math><mtext><{MARK}-j>",
    f"<svg><style><{MARK}-k></style></svg>",
    f"<base href=//{MARK}.example/>",
    f"<meta http-equiv=refresh content='0;url=//{MARK}.example'>",
    f"<link rel=stylesheet href=//{MARK}.example>",
    f"<x style='background:url(//{MARK}.example)' {MARK}>",
    f"&lt;{MARK}-l&gt; &amp;lt; &#60;{MARK}-m&#62;",
    f"\\u003c{MARK}-n\\u003e \\x3c{MARK}-o\\x3e",
    f"＜{MARK}-p＞ ‹{MARK}-q›",
    "{{1234*5678}} ${1234*5678} #{1234*5678} <%= 1234*5678 %> {%set a=1234*5678%}{{a}} @(1234*5678)",
    "{{config}} {{self.__init__.__globals__}} {{request.app.state.house.store.keys}}",
    f"x\r\nX-Injected: {MARK}\r\n\r\n<{MARK}-r>",
    f"x\nSet-Cookie: {MARK}=1",
    "%0d%0aX-Injected:%20yes",
    f"null\0byte<{MARK}-s>\0",
    f"\u202eevil\u202c \u2066iso\u2069 \u200f<{MARK}-t>",
    "' OR '1'='1' --",
    "'; DROP TABLE visits; --",
    '" UNION SELECT password FROM users --',
    "*)(uid=*))(|(uid=*",
    "../../../../etc/passwd",
    "..%2f..%2fkeys%2fclinic.key",
    "file:///etc/passwd",
    "%s%n%x%d {0.__class__} {} %(name)s $(id) `id` ;id|id",
    "|^~\\&\rOBX|1|TX|x||evil",
    "chest p\u0430in \uff53\uff43\uff52ipt \u212a \u017f",
    "\ufffd\ufffe\U0010ffff \U000e0041 e\u0301\u0302\u0303" + "\u0336" * 60,
    "\u05e9\u05dc\u05d5\u05dd \u0627\u0644\u0645 <b>",
    "A" * 1_900,
    "<" * 1_900,
    "\ud7ff\ue000 \u2028\u2029\u0085\u000b\u000c",
)  # fmt: skip
_URLS: Final = ("href", "src", "action", "formaction", "data", "poster", "srcdoc", "xlink:href")
_OURS: Final = ("/", "#", "data:,", "data:image/svg+xml", "tel:")


class Reader(HTMLParser):
    """Reads a page as a browser would and keeps what must not be on it."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if MARK in tag or tag in ("iframe", "object", "embed", "base", "svg", "math", "style"):
            self.faults.append(f"<{tag}>")
        if tag == "script" and not (names.get("src") or "").startswith("/static/"):
            self.faults.append("an inline script")
        if tag == "meta" and names.get("http-equiv") and names.get("content") != "60":
            self.faults.append("a meta refresh")
        for name, value in attrs:
            if MARK in name or name.startswith("on") or name == "style":
                self.faults.append(f"<{tag} {name}>")
            if name in _URLS and not (value or "").startswith(_OURS):
                self.faults.append(f"<{tag} {name}={value}>")
            if name in _URLS and (value or "").startswith("//"):
                self.faults.append(f"<{tag} {name}={value}>")


def faults(page: str) -> list[str]:
    """What of a payload became markup on this page, or ran in a template."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader.faults + (["a template ran"] if PRODUCT in page else [])
