"""Every metric by name, with its kind, labels and meaning; a point is one value of one. Knows no source."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple


class Metric(NamedTuple):
    """`labels` pairs the label as it is exposed with the closed set it is drawn from."""

    kind: Literal["gauge", "counter", "histogram"]
    meaning: str
    labels: tuple[tuple[str, str], ...] = ()


class Point(NamedTuple):
    """One value. A histogram's `value` is the sum, `buckets` the counts up to each bound and of all."""

    name: str
    value: float
    labels: tuple[str, ...] = ()
    buckets: tuple[int, ...] = ()
    bounds: Sequence[float] = ()


def _gauge(meaning: str, **labels: str) -> Metric:
    return Metric("gauge", meaning, tuple(labels.items()))


METRICS: Final[Mapping[str, Metric]] = {
    # the queue
    "store_up": _gauge("1 while the database answers."),
    "visits": _gauge("Visits in each state at each level.", state="state", level="level"),
    "queue_waiting": _gauge("Visits that wait for a nurse.", level="level"),
    "queue_oldest_seconds": _gauge("How long the oldest of them has waited.", level="level"),
    "queue_target_seconds": _gauge("How long a visit of this level may wait (review.targets_min).", level="level"),
    "queue_over_target": _gauge("Visits that wait longer than that.", level="level"),
    "emergencies_unreviewed": _gauge("Emergencies in nobody's hands for over two minutes."),
    "visits_opened": _gauge(
        "Visits begun within the window.", window="window", channel="arrival", language="language"
    ),
    # what nurses signed
    "signatures": _gauge("Signatures that stand, by who drafted.", window="window", by="by"),
    "overrides": _gauge("Signatures at another level than was shown.", window="window", direction="direction"),
    "upgrades_to_emergency": _gauge("Signatures that made a lower level an emergency.", window="window"),
    "override_reasons": _gauge("The reasons of those signatures.", window="window", reason="reason"),
    "signed_unchanged": _gauge("Signatures of the draft as it was.", window="window", by="by"),
    "blind_reads": _gauge(
        "Levels a nurse chose before the draft, beside the one shown after.", window="window", result="result"
    ),
    "corrections": _gauge("Signatures that correct an earlier one.", window="window"),
    "undone": _gauge("Signatures taken back.", window="window"),
    "sign_seconds": Metric("histogram", "How long the nurse had the visit open before signing, all ever."),
    # the weekly sheet
    "signal_state": _gauge(
        "1 for what the last week's sheet says of a signal; part: an alarm that is part of another's.",
        signal="signal", state="verdict",
    ),
    "signal_figure": _gauge("The signal's figure of that week: a share, seconds, or a shift.", signal="signal"),
    # drafts and the model
    "drafts": _gauge("Drafts, by whom, and why not by the model.", window="window", by="by", why="why"),
    "jobs_waiting": _gauge("Drafts that are to be made."),
    "jobs_oldest_seconds": _gauge("How long the oldest of them has waited."),
    "jobs_late": _gauge("1 while a draft is later than review.draft_by_s."),
    "model_wanted": _gauge("1 where the settings name a model."),
    "model_serves": _gauge("1 while a model is open."),
    "engine_acts_total": Metric("counter", "What the model was asked and what came of it.", (("act", "act"),)),
    "engine_faults_total": Metric(
        "counter", "Questions without a usable answer.", (("lane", "lane"), ("fault", "fault"))
    ),
    "engine_seconds": Metric("histogram", "How long a draft and a question took.", (("lane", "lane"),)),
    "engine_breaker": _gauge("1 for the state the breaker is in.", lane="lane", state="breaker"),
    "engine_queued": _gauge("Questions and drafts that wait for the model."),
    "release_expires_seconds": _gauge("Until the gate's verdict on the release lapses; below 0 it has."),
    # the record system and the log
    "outbox": _gauge("Signatures that have not arrived.", channel="channel", state="sending"),
    "outbox_oldest_seconds": _gauge("How long the oldest waiting one could have left.", channel="channel"),
    "audit_lines": _gauge("Lines of the audit log."),
    "audit_head_whole": _gauge("1 while the end of the log is as we left it."),
    "audit_verified": _gauge("1 where the last `prescreen audit verify` found the log whole."),
    "audit_verify_age_seconds": _gauge("Since that; since the log's first line where it was never verified."),
    "audit_checkpoint_age_seconds": _gauge("Since the last signed mark; since the first line where there is none."),
    "audit_lines_unmarked": _gauge("Lines since that mark."),
    "audit_lines_per_mark": _gauge("Lines after which a mark is due (audit.every)."),
    "glass_unseen": _gauge("Broken glasses that no auditor has looked at."),
    "glass_oldest_seconds": _gauge("Since the oldest of them was broken."),
    # the machine
    "disk_free_bytes": _gauge("Free on the disk of the clinic's folder."),
    "disk_size_bytes": _gauge("The size of that disk."),
    "key_age_seconds": _gauge("Since the newest clinic key was drawn."),
    "certificate_expires_seconds": _gauge("Until the certificate of metrics.certificate ends."),
    "build_info": _gauge("1, with what runs.", version="version", model="model", model_version="version"),
    "requests_total": Metric(
        "counter", "Requests, by page.", (("route", "route"), ("method", "method"), ("status", "status"))
    ),
    "request_seconds": Metric("histogram", "How long they took.", (("route", "route"),)),
    "requests_in_flight": _gauge("Requests being answered."),
    "look_seconds": _gauge("How long the last look at the store took."),
}  # fmt: skip
PREFIX: Final = "prescreen_"
