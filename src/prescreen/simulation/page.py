"""The year as a file for programs and a page for an auditor: every bar with its figure, every alarm with its cause.

Knows what the verdict says and how to lay it out. Computes nothing.
"""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from prescreen.run import write_atomic, write_json
from prescreen.simulation.verdict import Bar

JSON, PAGE = "simulation.json", "simulation.html"
PLUMBING = (
    "Plumbing: an invented clinic. Its patients and nurses do not exist and err at rates set by hand; its model is "
    "the tiny twin. The figures show that the loop works, and nothing about any patient."
)
STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}"
    "th,td{text-align:left;vertical-align:top;overflow-wrap:anywhere;min-width:6.6rem}"
    "th,td{padding:.35rem .6rem;border-bottom:1px solid #ccc}"
    "th{background:#f3f3f3}.note{border-left:4px solid #b58900;padding:.4rem .8rem;background:#fdf6e3}"
    ".met{color:#0a6b2c}.missed{color:#a40000;font-weight:600}"
)
_SAYS = {True: ("met", "met"), False: ("missed", "MISSED"), None: ("", "not asked")}


def write_year(folder: Path, told: Mapping[str, Any], bars: Sequence[Bar]) -> Path:
    """simulation.json and simulation.html; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"note": PLUMBING, "bars": [bar.model_dump(mode="json") for bar in bars], **told}
    write_json(folder / JSON, whole)
    write_atomic(folder / PAGE, render(told, bars))
    return folder / PAGE


def render(told: Mapping[str, Any], bars: Sequence[Bar]) -> str:
    """The page. Lists of records become tables, everything else a line."""
    missed = sum(bar.met is False for bar in bars)
    head = "every bar that was asked is met" if not missed else f"{missed} of {len(bars)} bars are missed"
    rows = "".join(
        f"<tr><td>{escape(bar.name)}</td><td>{escape(bar.asks)}</td><td>{escape(bar.figure)}</td>"
        f'<td class="{_SAYS[bar.met][0]}">{_SAYS[bar.met][1]}</td></tr>'
        for bar in bars
    )
    parts = [_lay_out(name, value) for name, value in told.items()]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>A simulated year</title>'
        f"<style>{STYLE}</style>"
        f'<h1>A simulated year: {head}</h1><p class="note">{escape(PLUMBING)}</p><h2>What it had to show</h2>'
        f"<table><tr><th>Bar</th><th>Asked</th><th>Shown</th><th></th></tr>{rows}</table>{''.join(parts)}</html>\n"
    )


def _lay_out(name: str, value: Any) -> str:
    title = f"<h2>{escape(name.replace('_', ' ').capitalize())}</h2>"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        heads = "".join(f"<th>{escape(str(key))}</th>" for key in value[0])
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row.values())}</tr>" for row in value
        )
        return f"{title}<table><tr>{heads}</tr>{rows}</table>"
    if isinstance(value, list):
        return f"{title}<ul>{''.join(f'<li>{escape(str(item))}</li>' for item in value)}</ul>" if value else ""
    if isinstance(value, dict):
        rows = "".join(f"<tr><th>{escape(str(k))}</th><td>{escape(str(v))}</td></tr>" for k, v in value.items())
        return f"{title}<table>{rows}</table>"
    return f"{title}<p>{escape(str(value))}</p>"
