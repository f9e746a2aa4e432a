"""The dossier: every figure is linked and hashed, a changed file is refused, what is missing is said."""

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Label
from prescreen.config import Recipe
from prescreen.dossier.archive import Archive, Figure
from prescreen.dossier.page import judge_claim, write_dossier
from prescreen.dossier.records import FOLDER, Ref, read_book
from prescreen.errors import InputError, RecipeError, RunError
from prescreen.evals.glossary import PLUMBING
from prescreen.evals.prediction import record_rules
from prescreen.evals.rate import Measure, Rate
from prescreen.evals.scoring import score_system
from prescreen.run import Run, hash_file

ROOT = Path(__file__).parents[2]


class Folder:
    """A folder of finished runs as the stages leave them, small."""

    def __init__(self, root: Path, label: str = "plumbing", tasks: dict[str, Any] | None = None) -> None:
        self.root = root
        card = {
            "sources": {"made up": {"used": 7, "licence": "CC0-1.0", "origin": "a test"}},
            "files": {"train/sft.jsonl": {"rows": 7, "by": {"report": 7}}},
            "cases": {"train": {"age": {"40-64": 7}, "sex": {"female": 7}, "language": {"en": 7}}},
            "under_represented": ["age under 1"],
            "missing": ["Outcomes"],
            "checks": {"patients found in one part only": 7},
        }
        data = self.finish("01-data", "data", {"card.json": card})
        sft = self.finish("02-sft", "sft", {"weights.json": {}}, {"data": data}, {"steps": 3, "loss": 0.5})
        label_ = Label(acuity=Acuity.HIGH, accepted=(Acuity.HIGH,), origin="test")
        case = Case(
            id="a", patient_id="a", source="t", licence="CC0-1.0", complaint="<b>my elbow</b>", label=label_
        )
        scores = score_system([case], [record_rules(case)])
        metrics = {
            "label": label,
            "suites": {"template": {"cases": 1, "labelled": 1, "systems": {"sft": scores, "rules": scores}}},
            "data": "01-data",
            "models": {"sft": {"run": "02-sft", "folder": "02-sft", "weights": "ab" * 32}},
            "tasks": tasks or {},
        }
        page = {"metrics.json": metrics, "report.html": "<html>"}
        evals = self.finish("07-evals", "evals", page, {"data": data, "sft": sft})
        check = {"say": "None is missed.", "suite": "template", "view": "served", "metric": "under_triage"}
        verdict = {
            "verdict": "promote",
            "candidate": "sft",
            "label": label,
            "serves": "nurse-reviewed drafts",
            "date": "2026-01-01",
            "expires": "2999-01-01",
            "evals": {"run": "07-evals", "fingerprint": evals.manifest["fingerprint"]},
            "checks": [{"check": check, "outcome": "pass", "sentence": "0/1 keeps the limit", "failures": []}],
        }
        gate = {"gate.json": verdict, "report.html": "<html>"}
        self.finish("08-gate", "gate", gate, {"evals": evals}, {"weights": "ab" * 32, "verdict": "promote"})

    def finish(
        self,
        name: str,
        stage: str,
        files: dict[str, Any],
        inputs: dict[str, Run] | None = None,
        metrics: dict[str, Any] | None = None,
    ) -> Run:
        run = Run(self.root / name, Recipe(stage=stage), inputs or {})
        run.start()
        for file, content in files.items():
            (run.folder / file).write_text(content if isinstance(content, str) else json.dumps(content))
        run.finish([run.folder / file for file in files], metrics or {})
        return run

    def change(self, run: str, file: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a file together with its manifest, as a rerun would."""
        path, manifest = self.root / run / file, self.root / run / "manifest.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        whole = json.loads(manifest.read_text())
        whole["outputs"][file] = hash_file(path)
        manifest.write_text(json.dumps(whole))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "runs" / "small")


def test_every_link_leads_to_a_file_and_every_manifest_hash_is_right(folder: Folder, tmp_path: Path) -> None:
    archive = write_dossier(folder.root, tmp_path / "papers" / "dossier.html")
    page = archive.out.read_text()
    links = {unescape(link) for link in re.findall(r'href="([^#"]+)"', page)}
    assert links and all((archive.out.parent / link).is_file() for link in links)
    assert "../runs/small/07-evals/metrics.json" in links and "../runs/small/01-data/card.json" in links
    cited = re.findall(r'href="([^"]+)/[^/"]+">[^<]+</a> <code>(\w{12})</code>', page)
    assert len(cited) > 30
    for run, shown in cited:
        assert hash_file(archive.out.parent / run / "manifest.json").startswith(shown)
    assert "http" not in page and "0/1 = 0.0 % [0.0, 97.5]" in page


def test_parts_are_all_there_and_the_label_is_on_each_with_figures(folder: Folder) -> None:
    page = write_dossier(folder.root).out.read_text()
    for part in ("gate", "model", "data", "hazards", "safety", "bias", "tripod", "rules", "runs"):
        assert f'<section id="{part}">' in page
    assert PLUMBING in page and page.count("plumbing numbers") == 7
    assert all(f">{number}<" in page for number in range(1, 20)), "all nineteen items of TRIPOD-LLM"
    assert "checks passed" not in page, "a tiny model supports nothing"


def test_a_candidate_has_no_label_and_its_checks_count(tmp_path: Path) -> None:
    page = write_dossier(Folder(tmp_path / "runs", "candidate").root).out.read_text()
    assert (
        PLUMBING not in page
        and "plumbing numbers" not in page
        and "checks passed; the clinic accepts or not" in page
    )


def test_what_is_missing_is_said(folder: Folder) -> None:
    page = unescape(write_dossier(folder.root).out.read_text())
    assert "no such task in this evaluation" in page and "not measured on suite clinic" in page
    assert "no review was given" in page and "no finished export run" in page
    assert "nothing is known" in page
    assert re.search(r"<b>[^<]*</b>: *</div>", page) is None, "no figure is blank"
    for cell in re.findall(r"<td>(.*?)</td>", page, re.DOTALL):
        assert cell.strip(), "no cell is blank"


def test_tasks_and_review_become_evidence(tmp_path: Path) -> None:
    figure = {"exact": Measure(Rate(9, 1)).to_json()}
    tasks = {"bias": {"title": "pairs", "systems": {"sft": figure}}}
    folder = Folder(tmp_path / "runs", tasks=tasks)
    review = {"reviewers": {"ann": {"in_range": Measure(Rate(4, 1)).to_json()}}, "between": []}
    (tmp_path / "review.json").write_text(json.dumps(review))
    page = write_dossier(folder.root, review=tmp_path / "review.json").out.read_text()
    assert "exact, task bias" in page and "9/10 = 90.0 %" in page and "nothing is known" not in page
    assert "levels the bank accepts, ann" in page and "4/5 = 80.0 %" in page and 'href="../review.json"' in page


@pytest.mark.parametrize("file", ["07-evals/metrics.json", "08-gate/gate.json", "01-data/card.json"])
def test_a_changed_file_is_never_cited(folder: Folder, file: str) -> None:
    path = folder.root / file
    path.write_text(path.read_text().replace("0", "1", 1) + " ")
    with pytest.raises(RunError, match=f"{file}: has changed since its run finished"):
        write_dossier(folder.root)
    assert not (folder.root / "dossier.html").exists()


def test_a_verdict_about_an_older_evaluation_or_lapsed_is_said(folder: Folder) -> None:
    folder.change("08-gate", "gate.json", lambda verdict: verdict.update(expires="2020-01-01"))
    folder.change("08-gate", "gate.json", lambda verdict: verdict["evals"].update(fingerprint="other"))
    page = write_dossier(folder.root).out.read_text()
    assert "lapsed on 2020-01-01" in page and "the verdict is about an older one" in page


def test_without_a_gate_there_is_no_verdict(folder: Folder) -> None:
    (folder.root / "08-gate" / "manifest.json").unlink()
    page = write_dossier(folder.root).out.read_text()
    assert "No gate has judged this model" in page and "after reports (SFT)" in page


def test_nothing_to_write_about_is_one_sentence(tmp_path: Path, folder: Folder) -> None:
    with pytest.raises(RunError, match="holds no finished run"):
        write_dossier(tmp_path / "gone")
    with pytest.raises(InputError, match="bank read --out"):
        write_dossier(folder.root, review=tmp_path / "gone.json")
    (folder.root / "07-evals" / "manifest.json").unlink()
    with pytest.raises(RunError, match="no finished evaluation"):
        write_dossier(folder.root)


def state(archive: Archive, *figures: Figure) -> str:
    return judge_claim(archive, list(figures))


def test_a_claim_is_never_better_than_its_evidence(tmp_path: Path) -> None:
    archive = Archive(Folder(tmp_path / "runs", "candidate").root, tmp_path / "d.html")
    source = archive.cite("07-evals", "metrics.json")
    good, bad = Figure("a", "b", source, outcome="pass"), Figure("a", "b", source, outcome="fail")
    few, gone = Figure("a", "b", source, outcome="not enough cases"), Figure("a", "b", missing=True)
    assert state(archive, good, bad, gone) == "contradicted"
    assert state(archive, good, few) == state(archive, good, gone) == "open"
    assert state(archive, Figure("a", "b", source)).startswith("measured; no limit")
    assert state(archive, Figure("a", "src/x.py")).startswith("by design")


def test_the_book_names_files_that_exist() -> None:
    book = read_book()
    refs = [ref for part in (book.hazards, book.claims, book.items) for entry in part for ref in entry.evidence]
    assert [ref.code for ref in refs if ref.code and not (ROOT / ref.code).exists()] == []
    assert {item.number for item in book.items} == set(range(1, 20))
    assert len({hazard.id for hazard in book.hazards}) == len(book.hazards) >= 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"severity": "mild"}, "severity"),
        ({"evidence": []}, "evidence"),
        ({"evidence": [{"metric": "missed_emergancies"}]}, "unknown metric"),
        ({"evidence": [{"metric": "exact", "gate": "exact"}]}, "evidence is one of"),
        ({"evidence": [{"stage": "data"}]}, "stage and key go together"),
        ({"hazzard": "x"}, "unknown key"),
    ],
)
def test_an_edited_book_is_checked(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    for file in FOLDER.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    hazards = yaml.safe_load((FOLDER / "hazards.yaml").read_text())
    hazards["hazards"][0] |= change
    (tmp_path / "hazards.yaml").write_text(yaml.safe_dump(hazards))
    with pytest.raises(RecipeError, match=message):
        read_book(tmp_path)


def test_words_of_a_book_are_escaped(tmp_path: Path, folder: Folder) -> None:
    for file in FOLDER.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    text = (FOLDER / "hazards.yaml").read_text().replace("Care is delayed", "<script>alert(1)</script>", 1)
    (tmp_path / "hazards.yaml").write_text(text)
    page = write_dossier(folder.root, book=tmp_path).out.read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_a_reference_finds_one_kind_of_evidence(folder: Folder) -> None:
    archive = Archive(folder.root, folder.root / "d.html")
    (figure,) = archive.find(Ref(stage="sft", key=("metrics", "loss"), say="loss"))
    assert figure.text == "0.5" and figure.source is not None and figure.source.href == "02-sft/manifest.json"
    assert archive.find(Ref(gate="verdict"))[0].outcome == "promote"
    assert archive.find(Ref(gate="qwk"))[0].missing


def test_a_clinics_incidents_are_counted_at_their_hazards(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "runs")
    rows = [
        {
            "id": str(n),
            "at": "2026-11-26T12:00:00Z",
            "kind": "other",
            "severity": "minor",
            "state": state,
            "hazard": of,
        }
        for n, (state, of) in enumerate([("open", None), ("assessed", "H01"), ("closed", "H01"), ("closed", "H02")])
    ]
    (tmp_path / "incidents.json").write_text(json.dumps({"incidents": rows}))
    write_dossier(folder.root, incidents=tmp_path / "incidents.json")
    page = (folder.root / "dossier.html").read_text()
    assert "reported 4 incidents, 1 of them not yet linked to a hazard" in page
    assert "incidents: 2 (1 assessed, 1 closed)" in page and "incidents: 1 (1 closed)" in page
    assert page.count("incidents: none reported") == len(read_book().hazards) - 2
    assert hash_file(tmp_path / "incidents.json")[:16] in page
    write_dossier(folder.root)
    assert "incident" not in (folder.root / "dossier.html").read_text().partition('id="hazards"')[2][:2000]
