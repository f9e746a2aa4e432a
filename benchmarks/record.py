"""A results file: what was measured, when, on what and with which versions."""

import json
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def write_record(name: str, packages: tuple[str, ...], **found: Any) -> Path:
    """`results/NAME-DATE.json` with date, device and versions before what was found; returns where it is."""
    today = str(date.today())
    about = {
        "date": today,
        "device": platform.processor() or platform.machine(),
        "versions": {package: version(package) for package in packages},
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{today}.json"
    path.write_text(json.dumps({**about, **found}, indent=1) + "\n")
    return path
