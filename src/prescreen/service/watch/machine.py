"""What the process can tell of itself: the model and its breaker, the release, the disk, keys and certificate.

Knows no visit.
"""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

from pydantic import ValidationError

from prescreen.release import CURRENT, Release
from prescreen.service.engine.counters import BUCKETS_S
from prescreen.service.engine.engines import Endpoint, EngineSettings, Released, RulesOnly
from prescreen.service.engine.guarding import GuardedEngine
from prescreen.service.house import House
from prescreen.service.watch.labels import ACTS, FAULTS, NO_MODEL, SETS, own_version
from prescreen.service.watch.points import Point


def tell_machine(house: House, data: Path) -> Iterator[Point]:
    """Every point but those of the store and the web."""
    settings, label = house.settings, house.label
    yield Point("model_wanted", not isinstance(settings.engine, RulesOnly))
    yield Point("model_serves", label is not None)
    model = (NO_MODEL, NO_MODEL) if label is None else (label.name, label.version)
    yield Point("build_info", 1, (own_version(), *model))
    if house.engine is not None:
        yield from tell_engine(house.engine)
    expires = read_expiry(settings.engine)
    if expires is not None:
        yield Point("release_expires_seconds", (expires - datetime.now(UTC)).total_seconds())
    disk = shutil.disk_usage(data)
    yield Point("disk_free_bytes", disk.free)
    yield Point("disk_size_bytes", disk.total)
    yield Point("audit_lines_per_mark", settings.audit.every)
    drawn = max((path.stat().st_mtime for path in house.store.keys.folder.glob("clinic-*.key")), default=None)
    if drawn is not None:
        yield Point("key_age_seconds", max(0.0, time.time() - drawn))
    certificate = settings.metrics.certificate if settings.metrics is not None else None
    ends = None if certificate is None else read_certificate(certificate)
    if ends is not None:
        yield Point("certificate_expires_seconds", (ends - datetime.now(UTC)).total_seconds())


def tell_engine(engine: GuardedEngine) -> Iterator[Point]:
    """What the model was asked since it was opened."""
    counts = engine.tally.snapshot()
    for act in ACTS:
        yield Point("engine_acts_total", counts.get(act, 0), (act,))
    for lane, breaker in engine.breakers.items():
        for fault in FAULTS.values():
            if count := counts.get(f"{lane}_{fault}", 0):
                yield Point("engine_faults_total", count, (lane, fault))
        stands = breaker.state
        for state in sorted(SETS["breaker"]):
            yield Point("engine_breaker", state == stands, (lane, state))
        each, total = engine.tally.latencies(lane)
        up_to = [sum(each[: at + 1]) for at in range(len(each))]
        yield Point("engine_seconds", total, (lane,), tuple(up_to), BUCKETS_S)
    yield Point("engine_queued", engine.door.queued)


def read_expiry(engine: EngineSettings) -> datetime | None:
    """When the release that the settings name lapses: the end of its last day. None where no release serves."""
    if not isinstance(engine, Released | Endpoint) or (isinstance(engine, Endpoint) and engine.demo):
        return None
    try:
        told = Release.model_validate_json((engine.releases / CURRENT).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
    return datetime.combine(told.expires, clock_time.min, UTC) + timedelta(days=1)


def read_certificate(path: Path) -> datetime | None:
    """When the first certificate of a file ends; None where it cannot be read."""
    from cryptography.x509 import load_pem_x509_certificate

    try:
        return load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None
