"""Words on the page: nothing a person wrote is ever markup, and marking evidence changes no letter."""

import datetime
import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import FormData

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Turn
from prescreen.clinic.floor import finalise
from prescreen.clinic.report import Consideration, Finding, HistoryReview
from prescreen.clinic.signed import ModelLabel, PatientLink
from prescreen.ehr.channel import History
from prescreen.errors import RefusedError
from prescreen.service.nurse.clock import tell_wait
from prescreen.service.nurse.edits import apply_form, diff_words, fields_of, list_changes
from prescreen.service.nurse.highlight import Span, mark
from prescreen.service.nurse.viewer import Posted
from prescreen.service.settings import Review
from service.ward import Desk, make_case, make_draft, make_reviewable, make_room, sheet
from store.desk import NOON

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\n\t"), max_size=60)
SAID = st.lists(
    st.sampled_from(["a", "A", "b", " ", "\n", "'", "\u2019", ".", "(", "ß", "İ", "pain "]), max_size=30
)
ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</textarea><script>alert(2)</script>",
    "{{ 7*7 }}{% raw %}",
    "<!-- --><svg/onload=alert(1)>",
    "\u202egnp.exe\u202c <b>bold</b>",
    "javascript:alert(1)",
    "&lt;b&gt; &amp;",
]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    house, client = make_room(tmp_path_factory.mktemp("words"))
    with client:
        yield house, client
    house.store.close()


@given(text=SAID.map("".join), spans=st.lists(SAID.map("".join), max_size=6))
def test_marking_changes_no_letter(text: str, spans: list[str]) -> None:
    pieces = mark(text, [Span(words, number) for number, words in enumerate(spans)])
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)


@given(before=WORDS, words=st.text("abc def", min_size=1).filter(str.strip), after=WORDS)
def test_evidence_that_was_said_is_marked(before: str, words: str, after: str) -> None:
    pieces = mark(f"{before} {words.upper()} {after}", [Span(words, 7)])
    marked = " ".join("".join(p.text for p in pieces if 7 in p.numbers).lower().split())
    assert " ".join(words.split()) in marked


def test_quotes_space_and_overlaps() -> None:
    pieces = mark("I can\u2019t  feel my legs at all", [Span("can't feel my legs", 0), Span("legs at all", 1)])
    assert [(p.text, p.numbers) for p in pieces] == [
        ("I ", ()),
        ("can\u2019t  feel my ", (0,)),
        ("legs", (0, 1)),
        (" at all", (1,)),
    ]
    assert mark("painless", [Span("pain", 0)])[0].numbers == ()


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_a_person_wrote_is_markup(room, attack: str) -> None:
    check_escaped(room, attack)


@settings(max_examples=25)
@given(attack=WORDS)
def test_nor_is_any_other_text(room, attack: str) -> None:
    check_escaped(room, attack)


def check_escaped(room, text: str) -> None:
    """Every field holds a mark of its own, then the text; on each page it is only ever there escaped."""
    house, client = room
    spiked = "zq<i>" + text[:60]
    line = Turn(speaker="patient", text=spiked)
    case = make_case(
        complaint=spiked,
        turns=(line,),
        history_text=spiked,
        conditions=(spiked,),
        medications=(spiked,),
        allergies=None,
    )
    draft = make_draft(
        summary=spiked,
        rationale=spiked,
        history=HistoryReview(conditions=[spiked], medications=[], allergies=[]),
        findings=[
            Finding(name=spiked, status="present", evidence=spiked),
            Finding(name=spiked, status="not asked"),
        ],
        red_flags=[spiked],
        differential=[Consideration(condition=spiked, supports=[spiked], against=[spiked])],
        next_steps=[spiked],
        open_questions=[spiked],
    )
    visit = make_reviewable(
        house.store,
        case,
        draft,
        link=PatientLink(family=spiked, given=spiked),
        record=History(patient=PatientLink(), conditions=(spiked,), allergies=(spiked,)),
        label=ModelLabel(name=spiked, version=spiked, engine="x"),
    )
    nurse, way = Desk(client), f"/visits/{visit.id}"
    pages = [nurse.claim(visit.id)]
    nurse.post(f"{way}/facts", words=spiked)
    nurse.post(f"{way}/assign", to="nurse-2", note=spiked)
    nurse.post("/handover", team="clinic", body=spiked)
    page = nurse.claim(visit.id)
    fields = {
        "level": "high",
        "summary": spiked + "!",
        "note": spiked,
        "finding-new": spiked[:200],
        "next_steps": spiked,
    }
    pages += [page, nurse.post(f"{way}/sign", **sheet(page), **fields, step="check").text]
    pages += [nurse.post(f"{way}/sign", version="0", seen="x", **fields, reason=spiked[:40]).text]
    page = nurse.get(way).text
    done = nurse.post(f"{way}/sign", **sheet(page), **fields, reason="seen in person", step="sign")
    assert done.status_code == 303
    pages += [nurse.get(path).text for path in (way, f"{way}/print", "/queue", "/handover")]
    for page in (page.replace(nurse.csrf, "") for page in pages):
        assert "zq&lt;i&gt;" in page or page.count("zq") == 0
        assert "zq<i>" not in page and "<i>" not in page
        assert "<script>alert" not in page and "<img src=x" not in page and "<svg/" not in page
        assert page.count("<script") == page.count('<script src="/static/')
    assert html.escape(spiked).replace("&#x27;", "&#39;").replace("&quot;", "&#34;").strip() in pages[0]


def posted(**fields: str) -> Posted:
    return Posted(FormData(list(fields.items())))


@given(summary=WORDS, line=WORDS.filter(lambda text: text.strip()), status=st.sampled_from(["present", "denied"]))
def test_a_form_sent_back_as_it_came_changes_nothing(summary: str, line: str, status) -> None:
    draft = make_draft(
        summary=summary,
        next_steps=[line],
        findings=[Finding(name=line, status=status, evidence="dull ache")],
        differential=[Consideration(condition=line, supports=[line], against=[])],
    )
    report = finalise(make_case(), draft)
    sent = {name: value.replace("\n", "\r\n") for name, value in fields_of(report).items()}
    again = apply_form(report, posted(**sent), report.acuity)
    assert again == report and list_changes(report, again, report.acuity) == []


@given(before=WORDS, after=WORDS)
def test_a_difference_holds_both_sides_whole(before: str, after: str) -> None:
    pieces = diff_words(before, after)
    assert "".join(text for kind, text in pieces if kind != "new") == before
    assert "".join(text for kind, text in pieces if kind != "gone") == after


def test_too_much_is_refused_by_the_fields_name() -> None:
    report = finalise(make_case(), make_draft())
    with pytest.raises(RefusedError, match="summary"):
        apply_form(report, posted(summary="x" * 601), Acuity.LOW)
    with pytest.raises(RefusedError, match="next steps"):
        apply_form(report, posted(next_steps="\n".join("abcdefg")), Acuity.LOW)


def test_the_clock_says_over_and_left() -> None:
    targets = Review().targets_min

    def told(minutes: int, level: Acuity | None) -> tuple[str, str]:
        wait = tell_wait(NOON, NOON + datetime.timedelta(minutes=minutes), level, targets)
        return wait.told, wait.state

    assert told(4, Acuity.EMERGENCY) == ("2 min over", "over")
    assert told(2, Acuity.EMERGENCY) == ("due now", "over")
    assert told(0, Acuity.MEDIUM) == ("60 min left", "ok")
    assert told(50, Acuity.MEDIUM) == ("10 min left", "soon")
    assert told(20, None) == ("5 min over", "over"), "not assessed waits like high"
    assert told(-5, Acuity.LOW)[1] == "ok", "a clock that went back"
