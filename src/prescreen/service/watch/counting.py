"""What was read from the store becomes points: counts of the last hour, day and week, ages, the queue.

Counts of a window come from the store at each look, so a restart loses nothing. Knows no SQL and no web.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prescreen.clinic.acuity import Acuity
from prescreen.service.watch.labels import LEVELS, WINDOWS, name_why
from prescreen.service.watch.points import Point
from prescreen.store.figures import Figures, Signing, Task

SIGN_BOUNDS_S: Final = (5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
UNREVIEWED_AFTER: Final = datetime.timedelta(minutes=2)
_LASTS: Final = dict(zip(WINDOWS, (datetime.timedelta(hours=h) for h in (1, 24, 168)), strict=True))


def count_all(
    figures: Figures, targets_min: Mapping[Acuity, int], draft_by: datetime.timedelta, channels: Iterable[str]
) -> Iterator[Point]:
    """Every point the store can tell; of each of `channels` too where nothing waits for it."""
    yield from _count_queue(figures, targets_min)
    for window, lasts in _LASTS.items():
        yield from _count_window(figures, window, figures.now - lasts)
    yield Point("sign_seconds", figures.past.seconds_sum, (), tuple(figures.past.seconds), SIGN_BOUNDS_S)
    yield from _count_work(figures, draft_by, channels)
    yield from _tell_log(figures)
    yield Point("glass_unseen", figures.glasses)
    since = figures.glasses_since
    yield Point("glass_oldest_seconds", 0 if since is None else _seconds(figures.now - since))


def _name(level: Acuity | None) -> str:
    return "unknown" if level is None else level.value


def _seconds(span: datetime.timedelta) -> float:
    return max(0.0, span.total_seconds())


def _count_queue(figures: Figures, targets_min: Mapping[Acuity, int]) -> Iterator[Point]:
    for (state, level), count in figures.visits.items():
        yield Point("visits", count, (state, _name(level)))
    by_level: dict[str, list[Task]] = {name: [] for name in LEVELS}
    for task in figures.tasks:
        by_level[_name(task.level)].append(task)
    targets = {level.value: minutes * 60.0 for level, minutes in targets_min.items()}
    targets["unknown"] = targets[Acuity.HIGH.value]  # it stands among the high ones in the queue
    for name, tasks in by_level.items():
        waited = [_seconds(figures.now - task.since) for task in tasks]
        yield Point("queue_waiting", len(tasks), (name,))
        yield Point("queue_oldest_seconds", max(waited, default=0.0), (name,))
        yield Point("queue_target_seconds", targets[name], (name,))
        yield Point("queue_over_target", sum(seconds > targets[name] for seconds in waited), (name,))
    late = figures.now - UNREVIEWED_AFTER
    left = [task for task in by_level[Acuity.EMERGENCY.value] if not task.held and task.since < late]
    yield Point("emergencies_unreviewed", len(left))


def _count_window(figures: Figures, window: str, since: datetime.datetime) -> Iterator[Point]:
    opened = Counter((one.channel, one.language) for one in figures.past.opened if one.at > since)
    for (channel, language), count in opened.items():
        yield Point("visits_opened", count, (window, channel, language))
    drafted: Counter[tuple[str, str]] = Counter(
        (one.by, name_why(one.why)) for one in figures.past.drafted if one.at > since
    )
    for by, why in {("model", "none"), ("rules", "other")} | set(drafted):
        yield Point("drafts", drafted[(by, why)], (window, by, why))
    recent = [one for one in figures.past.signed if one.at > since]
    yield Point("undone", sum(one.undone for one in recent), (window,))
    yield Point("corrections", sum(one.corrects and not one.undone for one in recent), (window,))
    yield from _count_signed([one for one in recent if one.stands], window)


def _count_signed(signed: list[Signing], window: str) -> Iterator[Point]:
    for by in ("model", "rules", "nobody"):
        own = [one for one in signed if one.by == by]
        yield Point("signatures", len(own), (window, by))
        yield Point("signed_unchanged", sum(_is_unchanged(one) for one in own), (window, by))
    changed = [one for one in signed if one.before is not None and one.level != one.before]
    ups = [one for one in changed if one.before is not None and one.level > one.before]
    yield Point("overrides", len(ups), (window, "up"))
    yield Point("overrides", len(changed) - len(ups), (window, "down"))
    yield Point("upgrades_to_emergency", sum(one.level is Acuity.EMERGENCY for one in ups), (window,))
    reasons = Counter(one.reason.replace(" ", "-") or "none" for one in changed)
    for reason, count in reasons.items():
        yield Point("override_reasons", count, (window, reason))
    results = Counter(_compare(one.blind, one.before) for one in signed if one.blind is not None and one.before)
    for result in ("same", "higher", "lower"):
        yield Point("blind_reads", results[result], (window, result))


def _is_unchanged(one: Signing) -> bool:
    return not one.edited and one.level == one.before


def _compare(chosen: Acuity, shown: Acuity) -> str:
    return "same" if chosen == shown else "higher" if chosen > shown else "lower"


def _count_work(figures: Figures, draft_by: datetime.timedelta, channels: Iterable[str]) -> Iterator[Point]:
    deadline = figures.job_deadline
    yield Point("jobs_waiting", figures.jobs)
    yield Point("jobs_oldest_seconds", 0 if deadline is None else _seconds(figures.now - (deadline - draft_by)))
    yield Point("jobs_late", deadline is not None and deadline < figures.now)
    rows = {(row.channel, row.state): row for row in figures.leaving}
    for channel in {*channels, *(row.channel for row in figures.leaving)}:
        for state in ("waiting", "dead"):
            row = rows.get((channel, state))
            yield Point("outbox", 0 if row is None else row.num, (channel, state))
            if state == "waiting":
                age = 0.0 if row is None else _seconds(figures.now - row.since)
                yield Point("outbox_oldest_seconds", age, (channel,))


def _tell_log(figures: Figures) -> Iterator[Point]:
    log, now = figures.log, figures.now
    begun = log.begun or now
    yield Point("audit_lines", log.lines)
    yield Point("audit_head_whole", log.whole)
    if log.verdict is not None:
        yield Point("audit_verified", log.verdict)
    yield Point("audit_verify_age_seconds", _seconds(now - (log.verified_at or begun)))
    yield Point("audit_checkpoint_age_seconds", _seconds(now - (log.marked_at or begun)))
    yield Point("audit_lines_unmarked", log.lines - log.marked)
