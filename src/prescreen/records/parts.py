"""XML parts of a zipped document, read piece by piece within bounds.

Knows what can be done to fill a reader's memory: unpacked sizes, element counts and the length of a single value
are bounded, and a document type declaration (the way to entity expansion) ends the reading. Knows no element.
"""

import zipfile
from collections.abc import Callable, Iterator
from xml.parsers import expat

MAX_SMALL = 8 << 20  # bytes of a part that is held whole
MAX_VALUE = 1 << 20  # characters of one value
MAX_ELEMENTS = 200_000  # of a part that is held whole
CHUNK = 1 << 16


class Refused(Exception):
    """The workbook cannot be read; the message is the reason."""


class Handler:
    """What a part's elements mean; `text` gathers character data between start and end."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.size, self.open = 0, False

    def start(self, tag: str, values: dict[str, str]) -> None: ...

    def end(self, tag: str) -> None: ...

    def data(self, text: str) -> None:
        if self.open and self.size <= MAX_VALUE:
            self.text.append(text)
            self.size += len(text)

    def take(self) -> str:
        text = "".join(self.text)
        self.text.clear()
        self.size = 0
        return text


class _Attributes(Handler):
    """Keeps elements of a small part: (tag, attributes) in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.path: list[str] = []

    def start(self, tag: str, values: dict[str, str]) -> None:
        if len(self.found) >= MAX_ELEMENTS:
            raise Refused("a part of the workbook has too many elements; save it as CSV")
        self.found.append((f"{self.path[-1] if self.path else ''}/{tag}", values))
        self.path.append(tag)

    def end(self, tag: str) -> None:
        self.path.pop()


def read_attributes(archive: zipfile.ZipFile, part: str) -> list[tuple[str, dict[str, str]]]:
    handler = _Attributes()
    parse_part(archive, part, MAX_SMALL, handler)
    return handler.found


def parse_part(archive: zipfile.ZipFile, part: str, limit: int, handler: Handler) -> None:
    for _ in feed_part(archive, part, limit, handler):
        pass


def feed_part(archive: zipfile.ZipFile, part: str, limit: int, handler: Handler) -> Iterator[None]:
    """Parse a part piece by piece; yields after each, so that rows can leave."""
    try:
        info = archive.getinfo(part)
    except KeyError:
        raise Refused("a part of the workbook is missing; save it again as .xlsx") from None
    if info.file_size > limit:
        raise Refused(f"a part of the workbook unpacks to more than {limit >> 20} MiB; save it as CSV")
    parser = expat.ParserCreate(namespace_separator=":")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    moved = [0]

    def on(call: Callable[..., None]) -> Callable[..., None]:
        def seen(name: str, *rest: dict[str, str]) -> None:
            moved[0] = 0
            call(name.rpartition(":")[2], *rest)

        return seen

    parser.StartElementHandler = on(handler.start)
    parser.EndElementHandler = on(handler.end)
    parser.CharacterDataHandler = handler.data
    try:
        with archive.open(info) as handle:
            while piece := handle.read(CHUNK):
                moved[0] += len(piece)
                parser.Parse(piece, False)
                if moved[0] > 4 * MAX_VALUE:
                    raise Refused("one value of the workbook is larger than any cell can be; save it as CSV")
                yield
            parser.Parse(b"", True)
    except expat.ExpatError:
        raise Refused("the workbook's XML is damaged; save it again as .xlsx, or as CSV") from None
    yield


def _refuse(*_: object) -> None:
    raise Refused("the workbook holds a document type declaration, which no Excel writes; save it again as .xlsx")
