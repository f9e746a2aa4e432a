"""Writes prescreen.json, the dashboard, from the table of panels below: `python deploy/grafana/make.py`.

Every query works on its own, without a variable of Grafana's, so that a Prometheus can be asked whether it understands it.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

OUT = Path(__file__).with_name("prescreen.json")
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH = 24


class Panel(NamedTuple):
    """One panel: what it shows, how wide, in which unit; queries with what to call each line."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 6
    bad_above: float | None = None  # turns red from here on
    bad_below: float | None = None
    told: str = ""


def share(part: str, whole: str) -> str:
    return f"sum({part}) / sum({whole})"


def quantile(which: float, buckets: str, over: str) -> str:
    return f"histogram_quantile({which}, sum by (le) (increase({buckets}[{over}])))"


SIGNED = 'prescreen_signatures{window="week"}'
BY_MODEL = 'prescreen_signatures{window="week",by="model"}'
BLIND = 'prescreen_blind_reads{window="week"}'
DRAFT_S, ASK_S = (f'prescreen_engine_seconds_bucket{{lane="{lane}"}}' for lane in ("draft", "ask"))
ROWS: dict[str, tuple[Panel, ...]] = {
    "Safety": (
        Panel(
            "Emergencies in nobody's hands",
            (("sum(prescreen_emergencies_unreviewed)", ""),),
            kind="stat", width=4, bad_above=1, told="For over two minutes. Not 0: open the queue.",
        ),
        Panel(
            "Made an emergency, 24 h",
            (('sum(prescreen_upgrades_to_emergency{window="day"})', ""),),
            kind="stat", width=4, bad_above=1, told="Each is a case to review.",
        ),
        Panel(
            "Signed, 24 h",
            (('sum by (by) (prescreen_signatures{window="day"})', "drafted by {{by}}"),),
            kind="stat", width=4,
        ),
        Panel(
            "Levels nurses changed, share of the week",
            (
                (share('prescreen_overrides{window="week",direction="up"}', SIGNED), "up"),
                (share('prescreen_overrides{window="week",direction="down"}', SIGNED), "down"),
            ),
            "percentunit", told="Up is what the model or the rules missed; down is load.",
        ),
        Panel(
            "Why they changed them, week",
            (('sum by (reason) (prescreen_override_reasons{window="week"})', "{{reason}}"),),
            kind="bargauge",
        ),
        Panel(
            "Signed as drafted, share of the week",
            ((share('prescreen_signed_unchanged{window="week",by="model"}', BY_MODEL), "of the model's drafts"),),
            "percentunit", width=8, bad_above=0.97, told="Near 100 % is a very good model, or nobody reads.",
        ),
        Panel(
            "Decided before the draft was seen, week",
            ((f"sum by (result) ({BLIND})", "{{result}}"),),
            width=8, told="Higher: the nurse placed the visit above what was shown after.",
        ),
        Panel(
            "Seconds from opening to signing, 7 days",
            (
                (quantile(0.5, "prescreen_sign_seconds_bucket", "7d"), "half of them"),
                (quantile(0.9, "prescreen_sign_seconds_bucket", "7d"), "nine of ten"),
            ),
            "s", width=8,
        ),
    ),
    "The week": (
        Panel(
            "Signals in alarm, last whole week",
            (('sum by (signal, state) (prescreen_signal_state{state=~"alarm|part"}) > 0', "{{signal}}, {{state}}"),),
            kind="bargauge", width=8,
            told="Empty is well. A part is part of another signal's alarm. What to do: the weekly sheet, /sheet.",
        ),
        Panel(
            "Signals by state, last whole week",
            (("sum by (state) (prescreen_signal_state)", "{{state}}"),),
            kind="stat", width=8, told="Too few is no all-clear.",
        ),
        Panel(
            "Shares by week",
            (
                ('max(prescreen_signal_figure{signal="overrides"})', "another level signed"),
                ('max(prescreen_signal_figure{signal="unchanged"})', "signed as drafted"),
                ('max(prescreen_signal_figure{signal="blind_agreement"})', "blind read agrees"),
                ('max(prescreen_signal_figure{signal="unsupported_claims"})', "a claim without support"),
            ),
            "percentunit", width=8, told="Each of the last whole week; limits stand on the sheet.",
        ),
    ),
    "Queue": (
        Panel("Waiting", (("sum by (level) (prescreen_queue_waiting)", "{{level}}"),)),
        Panel("Longest wait", (("max by (level) (prescreen_queue_oldest_seconds)", "{{level}}"),), "s"),
        Panel(
            "Longest wait as a share of its target",
            (("max by (level) (prescreen_queue_oldest_seconds / prescreen_queue_target_seconds)", "{{level}}"),),
            "percentunit", bad_above=1,
        ),
        Panel("Over target", (("sum by (level) (prescreen_queue_over_target)", "{{level}}"),), bad_above=1),
        Panel("Begun, 24 h", (('sum by (channel) (prescreen_visits_opened{window="day"})', "{{channel}}"),), width=8),
        Panel(
            "Languages of the week",
            (('sum by (language) (prescreen_visits_opened{window="week"})', "{{language}}"),),
            kind="bargauge", width=8,
        ),
        Panel("All visits", (("sum by (state) (prescreen_visits)", "{{state}}"),), width=8),
    ),
    "Model": (
        Panel("Runs", (("prescreen_build_info", "{{version}}, {{model}} {{model_version}}"),), kind="stat"),
        Panel("Days the release is good for", (("prescreen_release_expires_seconds / 86400", ""),), kind="stat", bad_below=14),
        Panel("Drafts, 24 h", (('sum by (by) (prescreen_drafts{window="day"})', "{{by}}"),)),
        Panel(
            "Why no draft by the model, 24 h",
            (('sum by (why) (prescreen_drafts{window="day",by="rules"})', "{{why}}"),),
            kind="bargauge",
        ),
        Panel(
            "Seconds to a draft, 1 h",
            ((quantile(0.5, DRAFT_S, "1h"), "half"), (quantile(0.95, DRAFT_S, "1h"), "19 of 20")),
            "s", bad_above=30,
        ),
        Panel("Seconds to a question, 1 h", ((quantile(0.95, ASK_S, "1h"), "19 of 20"),), "s"),
        Panel(
            "Questions without an answer",
            (("sum by (lane, fault) (increase(prescreen_engine_faults_total[1h]))", "{{lane}}: {{fault}}"),),
        ),
        Panel(
            "Asked, an hour",
            (("sum by (act) (increase(prescreen_engine_acts_total[1h]))", "{{act}}"), ("sum(prescreen_engine_queued)", "waiting")),
        ),
        Panel(
            "Breaker closed",
            (('min by (lane) (prescreen_engine_breaker{state="closed"})', "{{lane}}"),),
            kind="stat", bad_below=1,
        ),
        Panel(
            "A model is wanted, and open",
            (("max(prescreen_model_wanted)", "wanted"), ("max(prescreen_model_serves)", "open")),
            kind="stat",
        ),
        Panel("Drafts to make", (("sum(prescreen_jobs_waiting)", "waiting"), ("sum(prescreen_jobs_late)", "late"))),
        Panel("Longest wait for a draft", (("max(prescreen_jobs_oldest_seconds)", ""),), "s"),
    ),
    "Record": (
        Panel("On their way", (("sum by (channel, state) (prescreen_outbox)", "{{channel}} {{state}}"),)),
        Panel("Longest on its way", (("max by (channel) (prescreen_outbox_oldest_seconds)", "{{channel}}"),), "s", bad_above=900),
        Panel("Given up", (('sum(prescreen_outbox{state="dead"})', ""),), kind="stat", bad_above=1),
        Panel(
            "Taken back and corrected, week",
            (('sum(prescreen_undone{window="week"})', "taken back"), ('sum(prescreen_corrections{window="week"})', "corrected")),
            kind="stat",
        ),
        Panel("Audit log: end as left", (("min(prescreen_audit_head_whole)", ""),), kind="stat", bad_below=1),
        Panel("Audit log: last proof", (("min(prescreen_audit_verified)", ""),), kind="stat", bad_below=1),
        Panel(
            "Audit log: since proof and mark",
            (("max(prescreen_audit_verify_age_seconds)", "proof"), ("max(prescreen_audit_checkpoint_age_seconds)", "mark")),
            "s",
        ),
        Panel(
            "Audit log: lines",
            (
                ("max(prescreen_audit_lines_unmarked)", "unmarked"),
                ("max(prescreen_audit_lines_per_mark)", "a mark is due after"),
                ("sum(increase(prescreen_audit_lines[1h]))", "written in an hour"),
            ),
        ),
        Panel(
            "Broken glasses nobody has looked at",
            (("sum(prescreen_glass_unseen)", ""),),
            kind="stat", width=12, told="An auditor's task: /audit/glass.",
        ),
        Panel(
            "Since the oldest of them",
            (("max(prescreen_glass_oldest_seconds)", ""),),
            "s", kind="stat", width=12, bad_above=3 * 86400,
        ),
    ),
    "Machine": (
        Panel("Requests a second", (("sum by (status) (rate(prescreen_requests_total[5m]))", "{{status}}"),), "reqps"),
        Panel(
            "Slowest pages, 19 of 20",
            (
                (
                    "topk(5, histogram_quantile(0.95, sum by (le, route) (rate(prescreen_request_seconds_bucket[5m]))))",
                    "{{route}}",
                ),
            ),
            "s",
        ),
        Panel("Being answered", (("sum(prescreen_requests_in_flight)", ""),)),
        Panel("Disk free", (("min(prescreen_disk_free_bytes / prescreen_disk_size_bytes)", ""),), "percentunit", bad_below=0.1),
        Panel("Database answers", (("min(prescreen_store_up)", ""),), kind="stat", bad_below=1),
        Panel("A look at the database takes", (("max(prescreen_look_seconds)", ""),), "s"),
        Panel("Days the certificate is good for", (("min(prescreen_certificate_expires_seconds) / 86400", ""),), kind="stat", bad_below=14),
        Panel("Days since the key was drawn", (("min(prescreen_key_age_seconds) / 86400", ""),), kind="stat", bad_above=400),
    ),
}  # fmt: skip


def make_dashboard() -> dict[str, Any]:
    """The whole of it, as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        place = {"h": 1, "w": WIDTH, "x": 0, "y": top}
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": place,
                "panels": [],
            }
        )
        top += 1
        left = 0
        for panel in row:
            if left + panel.width > WIDTH:
                left, top = 0, top + 7
            panels.append(make_panel(panel, len(panels) + 1, left, top))
            left += panel.width
        top += 7
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0}
    return {
        "uid": "prescreen",
        "title": "prescreen",
        "description": "The clinic at work. No number carries a name, a visit or a word anybody said.",
        "tags": ["prescreen"],
        "timezone": "browser",
        "editable": True,
        "schemaVersion": 39,
        "version": 1,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [source]},
        "annotations": {"list": []},
        "links": [],
        "panels": panels,
    }


def make_panel(panel: Panel, number: int, left: int, top: int) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.bad_above is not None:
        steps.append({"color": "red", "value": panel.bad_above})
    if panel.bad_below is not None:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": panel.bad_below}]
    targets = [
        {
            "refId": chr(65 + at),
            "datasource": SOURCE,
            "expr": query,
            "legendFormat": name or "__auto",
            "range": True,
        }
        for at, (query, name) in enumerate(panel.queries)
    ]
    limits = {"mode": "absolute", "steps": steps}
    options: dict[str, Any] = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}}
    if panel.kind != "timeseries":
        options = {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "orientation": "auto",
        }
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.told,
        "datasource": SOURCE,
        "gridPos": {"h": 7, "w": panel.width, "x": left, "y": top},
        "fieldConfig": {"defaults": {"unit": panel.unit, "thresholds": limits, "min": 0}, "overrides": []},
        "options": options,
        "targets": targets,
    }


def render() -> str:
    return json.dumps(make_dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OUT.write_text(render(), encoding="utf-8")
