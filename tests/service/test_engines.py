"""What may serve: a release and nothing else, by bytes in-process, by name or a person's word behind a server."""

import datetime
import shutil
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from bad_server import NAME, misbehave
from prescreen.model.files import locate_model
from prescreen.release import CURRENT, Release
from prescreen.run import hash_file, write_json
from prescreen.service.engine.engines import Demo, Endpoint, EngineSettings, Released, RulesOnly, guard, open_engine
from prescreen.service.engine.probe import Served
from prescreen.service.engine.standing import compare, served_name, watch
from small_case import make_case
from small_release import STAGES, release_model

TODAY = datetime.datetime.now(datetime.UTC).date()
RELEASE = Release(
    candidate="dpo", model="/m", weights="ab" * 32, gate="/g", verdict="cd" * 32, serves="demonstration only",
    expires=TODAY, promoted=datetime.datetime.now(datetime.UTC),
)  # fmt: skip
OWN = "dpo-abababababab"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"kind": "rules"}, RulesOnly),
        ({"kind": "release", "releases": "r"}, Released),
        ({"kind": "demo"}, Demo),
        ({"kind": "endpoint", "url": "http://h/v1", "model": "m"}, Endpoint),
    ],
)
def test_settings_are_told_apart_by_kind_and_refuse_what_they_do_not_know(values, kind):
    adapter = TypeAdapter(EngineSettings)
    assert type(adapter.validate_python(values)) is kind
    with pytest.raises(ValidationError):
        adapter.validate_python({**values, "unknown": 1})


def test_nothing_released_is_rules_only_with_the_reason(tmp_path):
    opened = open_engine(Released(releases=tmp_path), STAGES)
    assert opened.engine is None and opened.label is None and "nothing was promoted" in opened.why
    assert "nothing was promoted" in guard(opened).draft(make_case()).report.no_draft_reason
    opened = open_engine(RulesOnly(), STAGES)
    assert opened.engine is None and "rules only" in opened.why


def test_a_release_whose_weights_changed_does_not_serve(tmp_path):
    release = release_model(tmp_path)
    (Path(release.model) / "weights.safetensors").write_text("other")
    opened = open_engine(Released(releases=tmp_path / "releases"), STAGES)
    assert opened.engine is None and "may not serve" in opened.why


def test_a_release_that_cannot_be_loaded_leaves_the_rules(tmp_path):
    release_model(tmp_path)
    opened = open_engine(Released(releases=tmp_path / "releases"), STAGES)
    assert opened.engine is None and "dpo could not be started" in opened.why and opened.later


def test_a_damaged_release_file_is_a_sentence(tmp_path):
    (tmp_path / CURRENT).write_bytes(b"\xff\xfe{")
    opened = open_engine(Released(releases=tmp_path), STAGES)
    assert opened.engine is None and opened.why


@pytest.mark.slow
def test_a_released_model_serves_with_its_hashes_in_the_label(tmp_path):
    release = release_model(tmp_path, locate_model("twin"))
    opened = open_engine(Released(releases=tmp_path / "releases", threads=1), STAGES)
    assert opened.why == "" and opened.engine is not None
    assert (opened.label.weights, opened.label.verdict) == (release.weights, release.verdict)
    guarded = guard(opened)
    drafted = guarded.draft(make_case())
    assert drafted.model is not None, drafted.error
    write_json(tmp_path / "releases" / CURRENT, {})
    assert "changed since the start" in guarded.draft(make_case()).error
    guarded.close()


@pytest.mark.slow
def test_the_twin_is_a_demo_and_says_so():
    opened = open_engine(Demo(threads=1), STAGES)
    guarded = guard(opened)
    assert guarded.draft(make_case()).model is not None
    guarded.close()
    assert opened.label.version == "demo, unreleased" and opened.label.weights and not opened.label.verdict


def test_a_demo_of_nothing_is_a_sentence(tmp_path):
    assert "no model here" in open_engine(Demo(model=str(tmp_path)), STAGES).why


@pytest.mark.parametrize(
    ("model", "confirmed", "served", "why"),
    [
        (OWN, "", Served(id=OWN), ""),
        ("m", "", Served(id="m", root=f"/adapters/{OWN}"), ""),
        ("m", RELEASE.verdict, Served(id="m"), ""),
        ("m", RELEASE.verdict, None, ""),
        ("m", "", Served(id="m"), "nobody can tell"),
        ("m", "", None, "nobody can tell"),
        (OWN, "", None, "nobody can tell"),
        ("m", "ee" * 32, Served(id="m"), "another verdict"),
        ("dpo-cdcdcdcdcdcd", RELEASE.verdict, Served(id="dpo-cdcdcdcdcdcd"), "serves dpo-cdcdcdcdcdcd"),
        ("m", RELEASE.verdict, Served(id="m", root="/x/dpo-cdcdcdcdcdcd"), "serves dpo-cdcdcdcdcdcd"),
        (OWN, RELEASE.verdict, Served(id=OWN, root="/x/dpo-cdcdcdcdcdcd"), "serves dpo-cdcdcdcdcdcd"),
    ],
)
def test_a_server_counts_as_the_release_by_its_own_list_or_a_persons_word(model, confirmed, served, why):
    assert served_name(RELEASE) == OWN
    told = compare(RELEASE, model, confirmed, served)
    assert told == "" if why == "" else why in told


def test_a_server_serves_a_release_only_where_it_is_known_to(tmp_path):
    release = release_model(tmp_path)
    place = {"releases": tmp_path / "releases", "timeout_s": 5}
    with misbehave() as server:
        opened = open_engine(Endpoint(url=server.url, model=NAME, **place), STAGES)
        assert opened.engine is None and "nobody can tell" in opened.why and opened.probe.reachable
        opened = open_engine(Endpoint(url=server.url, model=NAME, released=release.verdict, **place), STAGES)
        assert opened.why == "" and opened.label.verdict == release.verdict and opened.label.weights == ""
        assert opened.label.version == served_name(release)
    with misbehave(listed=({"id": served_name(release)},)) as server:
        opened = open_engine(Endpoint(url=server.url, model=served_name(release), **place), STAGES)
        assert opened.why == "" and opened.standing() == ""
        shutil.rmtree(tmp_path / "releases")
        assert "cannot be read" in guard(opened).draft(make_case()).error
        assert open_engine(Endpoint(url=server.url, model=served_name(release), **place), STAGES).engine is None


@pytest.mark.parametrize("wrong", ["lists another", "is gone"])
def test_a_server_that_is_not_ready_may_be_tried_again(wrong):
    with misbehave(listed=({"id": "other"},)) as server:
        settings = Endpoint(url=server.url, model=NAME, demo=True, timeout_s=2)
        if wrong == "lists another":
            opened = open_engine(settings, STAGES)
    if wrong == "is gone":
        opened = open_engine(settings, STAGES)
    assert opened.engine is None and opened.later and opened.why


def test_an_address_that_is_none_is_a_sentence():
    assert "give the server's address" in open_engine(Endpoint(url="host", model="m", demo=True), STAGES).why


def test_a_lapsed_or_changed_release_stops_before_the_next_question(tmp_path):
    write_json(tmp_path / CURRENT, RELEASE.model_dump(mode="json"))
    stand = watch(tmp_path, RELEASE)
    assert stand() == ""
    lapsed = RELEASE.model_copy(update={"expires": TODAY - datetime.timedelta(days=1)})
    assert "lapsed" in watch(tmp_path, lapsed)()
    before = hash_file(tmp_path / CURRENT)
    write_json(tmp_path / CURRENT, {**RELEASE.model_dump(mode="json"), "by": "somebody"})
    assert hash_file(tmp_path / CURRENT) != before and "changed since" in stand()
    (tmp_path / CURRENT).unlink()
    assert "cannot be read" in stand()
