"""The bill of materials of a bundle: CycloneDX 1.6 JSON with licence, hash and needs of every package.

Knows wheels and the metadata inside them. Does not know of vulnerabilities and asks no network.

    python deploy/sbom.py BUNDLE/wheels sbom.cdx.json
"""

import email.parser
import hashlib
import json
import re
import sys
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from email.message import Message
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "prescreen"
LONGEST_NAME = 80  # a longer "License" line is the licence itself, not its name


def read_metadata(wheel: Path) -> Message:
    """What a wheel says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        inside = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        if len(inside) != 1:
            raise SystemExit(f"{wheel.name}: no metadata inside, so this is no wheel; fetch it again")
        return email.parser.Parser().parsestr(archive.read(inside[0]).decode("utf-8"))


def find_licence(metadata: Message) -> list[dict[str, Any]]:
    """The SPDX expression, else the short name, else the classifiers; [] when the package names none."""
    expression = metadata.get("License-Expression")
    if expression:
        return [{"expression": expression}]
    said = (metadata.get("License") or "").strip()
    names = [said] if said and "\n" not in said and len(said) <= LONGEST_NAME else []
    if not names:
        classifiers = [line for line in metadata.get_all("Classifier", []) if line.startswith("License :: ")]
        names = [line.rpartition(" :: ")[2] for line in classifiers]
    return [{"license": {"name": name, "acknowledgement": "declared"}} for name in names]


def list_needs(packages: Mapping[str, Message]) -> dict[str, set[str]]:
    """Who asks for whom, from the project down: no marker that is false here, no extra nobody asked for."""
    asked = {PROJECT: set(packages[PROJECT].get_all("Provides-Extra", []))}
    needs: dict[str, set[str]] = {name: set() for name in packages}
    waiting = [PROJECT]
    while waiting:
        name = waiting.pop()
        for requirement in map(Requirement, packages[name].get_all("Requires-Dist", [])):
            marker, other = requirement.marker, str(canonicalize_name(requirement.name))
            wanted = marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *asked[name]))
            if not wanted or other not in packages:
                continue
            needs[name].add(other)
            if other not in asked or not requirement.extras <= asked[other]:
                asked[other] = asked.get(other, set()) | requirement.extras
                waiting.append(other)
    return needs


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
    packages: dict[str, Message] = {}
    components: dict[str, dict[str, Any]] = {}
    for path in wheels.glob("*.whl"):
        metadata = read_metadata(path)
        name = str(canonicalize_name(metadata["Name"]))
        packages[name], components[name] = metadata, make_component(path, metadata)
    if PROJECT not in packages:
        raise SystemExit(f"{wheels}: the wheel of {PROJECT} is not here; name the wheels folder of a bundle")
    refs = {name: component["bom-ref"] for name, component in components.items()}
    needs = list_needs(packages)
    dependencies = [
        {"ref": refs[name], "dependsOn": [refs[other] for other in sorted(needs[name])]} for name in sorted(needs)
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
