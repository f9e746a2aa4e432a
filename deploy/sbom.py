"""The bill of materials of a bundle: CycloneDX 1.6 JSON with licence, hash and needs of every package.

Knows wheels and the metadata inside them. Does not know of vulnerabilities and asks no network.

    python deploy/sbom.py BUNDLE/wheels sbom.cdx.json
"""

import email.parser
import hashlib
import json
import sys
import uuid
import zipfile
from collections.abc import Iterable, Sequence
from email.message import Message
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "prescreen"
LONGEST_NAME = 80  # a longer "License" line is the licence itself, not its name


def read_metadata(wheel: Path) -> Message:
    """What a wheel says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        inside = [
            name for name in archive.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1
        ]
        if len(inside) != 1:
            raise SystemExit(f"{wheel.name}: no metadata inside, so this is no wheel; fetch it again")
        return email.parser.Parser().parsestr(archive.read(inside[0]).decode("utf-8"))


def find_licence(metadata: Message) -> list[dict[str, Any]]:
    """The SPDX expression, else the classifiers, else a short name; [] when the package names none."""
    expression = metadata.get("License-Expression")
    if expression:
        return [{"expression": expression}]
    classified = [
        line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier", []) if line.startswith("License :: ")
    ]
    names = [name for name in classified if name != "OSI Approved"]
    said = (metadata.get("License") or "").strip()
    if not names and said and "\n" not in said and len(said) <= LONGEST_NAME:
        names = [said]
    return [{"license": {"name": name, "acknowledgement": "declared"}} for name in names]


def list_needs(metadata: Message, present: Iterable[str], extras: Sequence[str]) -> list[str]:
    """Which of the packages present this one asks for, here or under one of the extras."""
    known = set(present)
    needs = set()
    for line in metadata.get_all("Requires-Dist", []):
        requirement = Requirement(line)
        environments = [{**default_environment(), "extra": extra} for extra in ("", *extras)]
        wanted = requirement.marker is None or any(map(requirement.marker.evaluate, environments))
        if wanted and canonicalize_name(requirement.name) in known:
            needs.add(str(canonicalize_name(requirement.name)))
    return sorted(needs)


def make_component(wheel: Path, metadata: Message) -> dict[str, Any]:
    """One package as CycloneDX writes it."""
    name, version = canonicalize_name(metadata["Name"]), metadata["Version"]
    purl = f"pkg:pypi/{name}@{version.replace('+', '%2B')}"
    component = {
        "type": "application" if name == PROJECT else "library",
        "bom-ref": purl,
        "name": str(name),
        "version": version,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}],
        "licenses": find_licence(metadata),
        "purl": purl,
    }
    return {key: value for key, value in component.items() if value != []}


def make_sbom(wheels: Path) -> dict[str, Any]:
    """The whole bill; the same wheels give the same bytes, so it carries no time of day."""
    read = {path: read_metadata(path) for path in sorted(wheels.glob("*.whl"))}
    components = {str(canonicalize_name(meta["Name"])): make_component(path, meta) for path, meta in read.items()}
    if PROJECT not in components:
        raise SystemExit(f"{wheels}: the wheel of {PROJECT} is not here; name the wheels folder of a bundle")
    extras = {name: meta.get_all("Provides-Extra", []) for name, meta in _by_name(read.values())}
    dependencies = [
        {
            "ref": components[name]["bom-ref"],
            "dependsOn": [
                components[need]["bom-ref"]
                for need in list_needs(meta, components, extras[name] if name == PROJECT else [])
            ],
        }
        for name, meta in _by_name(read.values())
    ]
    main = components.pop(PROJECT)
    body = {"components": [components[name] for name in sorted(components)], "dependencies": dependencies}
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([main, body], sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": main},
        **body,
    }


def _by_name(read: Iterable[Message]) -> list[tuple[str, Message]]:
    return sorted(((str(canonicalize_name(meta["Name"])), meta) for meta in read), key=lambda pair: pair[0])


def main(arguments: Sequence[str]) -> None:
    """Write the bill and say which packages name no licence: a person must look those up."""
    if len(arguments) != 2:
        raise SystemExit("usage: sbom.py WHEELS OUT.json")
    bill = make_sbom(Path(arguments[0]))
    Path(arguments[1]).write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    silent = [component["name"] for component in bill["components"] if "licenses" not in component]
    print(f"{len(bill['components'])} packages; {len(silent)} name no licence: {', '.join(silent) or 'none'}")


if __name__ == "__main__":
    main(sys.argv[1:])
