"""Tables: encodings, delimiters, workbooks and their traps, the guess at a mapping, and what a row becomes."""

import csv
import datetime
import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from prescreen.errors import InputError, RecipeError
from prescreen.records import parts, sheets, workbook
from prescreen.records.columns import Guess, TableMapping, guess_mapping, read_mapping
from prescreen.records.measures import read_age, read_moment, read_number, read_vital
from prescreen.records.record import Record, Reject
from prescreen.records.tables import TableReader, guess_file, preview

MAPPING = TableMapping(
    columns={
        "patient": "MRN",
        "names": ("First name", "Surname"),
        "birth_date": "DOB",
        "when": ("Date", "Time"),
        "sex": "Sex",
        "complaint": "Chief complaint",
        "blood_pressure": "BP",
        "temperature": "Temp",
        "heart_rate": "HR",
        "allergies": "Allergies",
        "medications": "Meds",
        "acuity": "ESI",
        "diagnosis": "Dx",
    },
    scale="esi",
    day_first=True,
)
HEADER = ["MRN", "First name", "Surname", "DOB", "Date", "Time", "Sex", "Chief complaint", "BP", "Temp", "HR"]
HEADER += ["Allergies", "Meds", "ESI", "Dx"]
ROW = ["7001", "Zora", "von Quirrel", "01/02/1980", "10/03/2026", "14:05", "F", 'chest pain,\n"tight"', "148/92"]
ROW += ["38,5 °C", "n/a", "none known", "aspirin 1,5 mg; ramipril", "2", "Angina"]


def as_csv(rows: list[list[str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def read(
    path: Path, data: str | bytes, mapping: TableMapping | None = MAPPING, start: int = 1
) -> list[Record | Reject]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(TableReader(mapping).read(str(path), start))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "visits.csv"


def only(items: list[Record | Reject]) -> Record:
    assert len(items) == 1 and isinstance(items[0], Record), items
    return items[0]


def test_a_row_becomes_a_record(file: Path) -> None:
    record = only(read(file, as_csv([HEADER, ROW])))
    assert record.patient == "7001" and record.sex == "female"
    assert record.when == datetime.datetime(2026, 3, 10, 14, 5)
    assert record.identifiers.birth_date == datetime.date(1980, 2, 1)
    assert record.identifiers.names == ("Zora", "von", "Quirrel") and record.identifiers.numbers == ("7001",)
    assert record.age_years == pytest.approx(46.1, abs=0.02)
    assert record.complaint == 'chest pain,\n"tight"'
    assert record.vitals.measured == {"systolic": 148, "diastolic": 92, "temperature": 38.5}
    assert record.allergies == () and record.medications == ("aspirin 1,5 mg", "ramipril")
    assert record.conditions is None
    assert (record.outcome.acuity, record.outcome.scale, record.outcome.diagnosis) == ("2", "esi", "Angina")
    assert record.source.place == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings_and_delimiters(file: Path, delimiter: str, encoding: str) -> None:
    row = [*ROW[:7], "Übelkeit, Fieber — stark; seit gestern", *ROW[8:]]
    data = as_csv([HEADER, row, row], delimiter).encode(encoding)
    items = read(file, data)
    assert [i.complaint for i in items if isinstance(i, Record)] == [row[7]] * 2


def test_excels_own_hint_and_a_late_windows_letter(file: Path) -> None:
    assert only(read(file, "sep=;\r\n" + as_csv([HEADER, ROW], ";"))).patient == "7001"
    data = as_csv([HEADER, *[ROW] * 3000]).encode() + as_csv([[*ROW[:14], "Grippe à virus"]]).encode("cp1252")
    last = read(file, data)[-1]
    assert isinstance(last, Record) and last.outcome.diagnosis == "Grippe à virus"


@pytest.mark.parametrize("cell", ["=1+1", '=HYPERLINK("http://x")', "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1"])
def test_formulas_stay_text(file: Path, cell: str) -> None:
    row = [*ROW[:7], cell, *ROW[8:]]
    assert only(read(file, as_csv([HEADER, row]))).complaint == cell.strip()


def test_unreadable_numbers_are_left_out_and_the_record_kept(file: Path) -> None:
    row = [*ROW[:8], "92/148", "hot", "nan", *ROW[11:]]
    record = only(read(file, as_csv([HEADER, row])))
    assert record.vitals.measured == {} and record.patient == "7001"


def test_rows_that_do_not_fit_are_rejected_in_place_without_a_quote(file: Path) -> None:
    text = as_csv([HEADER, ROW[:-3], ROW, [*ROW, "Quirrel"], [*ROW, ""]])
    items = read(file, text)
    assert [type(i).__name__ for i in items] == ["Reject", "Record", "Reject", "Record"]
    assert [i.place for i in items if isinstance(i, Reject)] == [2, 6]  # each row spans two lines
    assert all("Quirrel" not in i.reason for i in items if isinstance(i, Reject))


def test_an_unclosed_quote_costs_rows_but_not_the_file(file: Path) -> None:
    plain = [cell.replace("\n", " ").replace('"', "") for cell in ROW]
    plain = [cell.replace(",", ".") for cell in plain]
    text = as_csv([HEADER, plain]) + '7002,"Zora,\r\n' + as_csv([plain] * 3000)
    items = read(file, text)
    assert len(items) > 1000
    assert isinstance(items[0], Record) and isinstance(items[-1], Record)
    assert any(isinstance(i, Reject) and i.place == 3 for i in items)


def test_start_resumes(file: Path) -> None:
    text = as_csv([HEADER, *[ROW] * 4])
    assert read(file, text, start=6) == read(file, text)[2:]


def test_a_wrong_mapping_is_named_by_its_own_words(file: Path) -> None:
    mapping = MAPPING.model_copy(update={"columns": {"complaint": "Motive"}})
    (reject,) = read(file, as_csv([ROW, ROW]), mapping)
    assert isinstance(reject, Reject) and "'Motive'" in reject.reason and "Quirrel" not in reject.reason
    mapping = MAPPING.model_copy(update={"columns": {"complaint": "a"}})
    (reject,) = read(file, "a,a\n1,2\n", mapping)
    assert isinstance(reject, Reject) and "twice" in reject.reason


def test_preview_writes_nothing_and_stops(file: Path) -> None:
    file.write_text(as_csv([HEADER, *[ROW] * 50]))
    before = sorted(file.parent.iterdir())
    items = preview(str(file), MAPPING, 10)
    assert len(items) == 10 and sorted(file.parent.iterdir()) == before


def test_codes_translate_cells(file: Path) -> None:
    mapping = TableMapping(
        columns={"sex": "S", "consciousness": "M", "coma": "G"},
        codes={"sex": {"1": "female", "2": "male"}, "consciousness": {"3": "pain"}},
    )
    items = read(file, "S,M,G\n1,3,15\n2,,3\n3,4,14\n", mapping)
    assert [i.sex for i in items if isinstance(i, Record)] == ["female", "male", None]
    assert [i.vitals.consciousness for i in items if isinstance(i, Record)] == ["pain", "unresponsive", "confused"]


def test_mapping_file(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(yaml.safe_dump(MAPPING.model_dump(mode="json")))
    assert read_mapping(path) == MAPPING
    path.write_text("columns: {complain: CC}")
    with pytest.raises(RecipeError, match="unknown field 'complain'"):
        read_mapping(path)


GUESSES = {
    "english": (
        "Patient ID,First Name,DOB,Arrival Time,Gender,Chief Complaint,Pulse,Resp Rate,O2 Sat (%),Temp (F),BP,"
        "Triage Level",
        "12,Zora,2/14/1980,3/10/2026 14:05,F,chest pain,88,18,97,99.1,120/80,3",
        {"patient": "Patient ID", "names": "First Name", "birth_date": "DOB", "when": "Arrival Time",
         "sex": "Gender", "complaint": "Chief Complaint", "heart_rate": "Pulse", "respiratory_rate": "Resp Rate",
         "spo2": "O2 Sat (%)", "temperature": "Temp (F)", "blood_pressure": "BP", "acuity": "Triage Level"},
        ("esi", False),
    ),
    "spanish": (
        "NHC;Apellidos;Fecha de nacimiento;Edad;Sexo;Motivo de consulta;FC;FR;TAS;TAD;SatO2;"
        "Temperatura;Triaje;Alergias",
        "12;Quirrel;14/02/1980;46;M;dolor torácico;88;18;120;80;97;37,2;naranja;no",
        {"patient": "NHC", "names": "Apellidos", "birth_date": "Fecha de nacimiento", "age": "Edad", "sex": "Sexo",
         "complaint": "Motivo de consulta", "heart_rate": "FC", "respiratory_rate": "FR", "systolic": "TAS",
         "diastolic": "TAD", "spo2": "SatO2", "temperature": "Temperatura",
         "acuity": "Triaje", "allergies": "Alergias"},
        ("mts", True),
    ),
    "german": (
        "Fallnummer;Nachname;Vorname;Geb.-Datum;Aufnahmedatum;Geschlecht;Leitsymptom;Herzfrequenz;Atemfrequenz;Blutdruck;"
        "Körpertemperatur;Sauerstoffsättigung;Schmerzskala;MTS;Vorerkrankungen",
        "12;Quirrel;Zora;14.02.1980;10.03.2026 14:05;w;Brustschmerz;88;18;120/80;37,2;97;7;Gelb;Asthma",
        {"visit": "Fallnummer", "names": ("Nachname", "Vorname"), "birth_date": "Geb.-Datum",
         "when": "Aufnahmedatum", "sex": "Geschlecht", "complaint": "Leitsymptom", "heart_rate": "Herzfrequenz",
         "respiratory_rate": "Atemfrequenz", "blood_pressure": "Blutdruck", "temperature": "Körpertemperatur",
         "spo2": "Sauerstoffsättigung", "pain": "Schmerzskala", "acuity": "MTS", "conditions": "Vorerkrankungen"},
        ("mts", True),
    ),
    "french": (
        "IPP;Nom;Prénom;Date de naissance;Sexe;Motif de recours;Pouls;PAS;PAD;Température;Douleur;"
        "Priorité;Antécédents",
        "12;Quirrel;Zora;14/02/1980;F;douleur thoracique;88;120;80;37,2;7;haute;asthme",
        {"patient": "IPP", "names": ("Nom", "Prénom"), "birth_date": "Date de naissance", "sex": "Sexe",
         "complaint": "Motif de recours", "heart_rate": "Pouls", "systolic": "PAS", "diastolic": "PAD",
         "temperature": "Température", "pain": "Douleur", "acuity": "Priorité", "history": "Antécédents"},
        ("seed", True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", GUESSES)
def test_guess_by_names(language: str) -> None:
    header, row, expected, (scale, day_first) = GUESSES[language]
    cut = "," if language == "english" else ";"
    guess = guess_mapping(header.split(cut), [row.split(cut)] * 5)
    assert guess.mapping.columns == expected and guess.unused == ()
    assert (guess.mapping.scale, guess.mapping.day_first) == (scale, day_first)


def by_contents(columns: dict[str, list[str]]) -> Guess:
    rows = [list(cells) for cells in zip(*columns.values(), strict=True)]
    return guess_mapping(list(columns), rows)


def test_guess_by_contents() -> None:
    ages = ["3", "20", "34", "41", "56", "67", "78", "89", "12", "50"]
    guess = by_contents(
        {
            "c1": ages,
            "c2": ["f", "m"] * 5,
            "c3": ["120/80", "140/90"] * 5,
            "c4": ["36.6", "37.2", "38.9", "36.4", "39.5"] * 2,
            "c5": ["red", "yellow", "green", "orange", "blue"] * 2,
            "c6": [f"{n}.3.2026 10:0{n}" for n in range(10)],
            "c7": [f"1.1.{1940 + 5 * n}" for n in range(10)],
            "c8": ["a@b.example"] * 10,
            "c9": ["free words"] * 10,
        }
    )
    assert guess.mapping.columns == {
        "age": "c1", "sex": "c2", "blood_pressure": "c3", "temperature": "c4", "acuity": "c5", "when": "c6",
        "birth_date": "c7", "emails": "c8",
    }  # fmt: skip
    assert guess.mapping.scale == "mts" and guess.unused == ("c9",)
    assert set(guess.why.values()) == {"contents"}


def test_two_alike_are_not_guessed_between() -> None:
    guess = by_contents({"a": ["120/80"] * 5, "b": ["130/80"] * 5})
    assert guess.mapping.columns == {}


def test_contents_overrule_a_name() -> None:
    guess = by_contents({"Temp": ["contract", "agency"] * 5, "Age": ["Bronze Age"] * 10})
    assert guess.mapping.columns == {}


@pytest.mark.parametrize(
    ("cells", "scale", "codes"),
    [
        (["High", "Medium", "Low"], "seed", {"high": "High"}),
        (["high", "emergency"], "acuity", {}),
        (["hoch", "mittel", "niedrig"], "seed", {"hoch": "high", "mittel": "medium", "niedrig": "low"}),
        (["Rot", "Gelb"], "mts", {"rot": "red", "gelb": "yellow"}),
        (["ESI-2", "ESI-3"], "esi", {"esi-2": "2", "esi-3": "3"}),
        (["2", "3.0"], "esi", {"3.0": "3"}),
        (["²", "3"], "esi", {"²": "2"}),
    ],
)
def test_triage_scales(cells: list[str], scale: str, codes: dict[str, str], file: Path) -> None:
    guess = by_contents({"Triage": cells * 3})
    assert guess.mapping.scale == scale
    if "high" not in codes:
        assert guess.mapping.codes.get("acuity", {}) == codes


def test_spanish_letters_are_man_and_woman(file: Path) -> None:
    items = read(file, "Sexo\nH\nM\nM\n", None)
    assert [i.sex for i in items if isinstance(i, Record)] == ["male", "female", "female"]


def test_day_order_that_no_date_settles_is_left_open(file: Path) -> None:
    items = read(file, "Date of birth,cc\n03/04/1980,cough\n", None)
    assert only(items).identifiers.birth_date is None
    items = read(file, "Date of birth,cc\n03/04/1980,cough\n25/04/1980,cough\n", None)
    assert isinstance(items[0], Record) and items[0].identifiers.birth_date == datetime.date(1980, 4, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-10", (2026, 3, 10)),
        ("20260310", (2026, 3, 10)),
        ("2026/3/10", (2026, 3, 10)),
        ("10.3.2026", (2026, 3, 10)),
        ("10-MAR-2026", (2026, 3, 10)),
        ("5 août 2025", (2025, 8, 5)),
        ("3/25/2026 1:05 PM", (2026, 3, 25)),
        ("10.3.79", (1979, 3, 10)),
        ("3/4/2026", None),
        ("31.2.2026", None),
        ("2026", None),
        ("12345678901", None),
        ("0001-01-01", None),
    ],
)
def test_moments(text: str, expected: tuple[int, int, int] | None) -> None:
    moment = read_moment(text)
    assert (moment and (moment.year, moment.month, moment.day)) == expected


def test_clock_and_units() -> None:
    assert read_moment("3/25/2026 12:05 am") == datetime.datetime(2026, 3, 25, 0, 5)
    assert read_vital("temperature", "98.6") == 37.0 and read_vital("temperature", "37.1 C") == 37.1
    assert read_vital("systolic", "16 kPa") == 120.0 and read_vital("spo2", "0.97") == 97.0
    assert read_vital("temperature", "36.") == 36.0
    assert read_vital("heart_rate", "<40") is None and read_vital("heart_rate", "880") is None
    assert read_vital("pain", "7/10") == 7 and read_vital("spo2", "97 mmHg") is None
    assert read_age("8 months") == pytest.approx(0.667) and read_age("3 wk") == pytest.approx(0.057, abs=0.001)
    assert read_age("10 Tage") == pytest.approx(0.027) and read_age("34") == 34 and read_age("34 kg") is None


# ---- workbooks ----

STYLES = (
    '<styleSheet xmlns="x"><numFmts><numFmt numFmtId="170" formatCode="[$-409]dd/mm/yyyy\\ hh:mm"/>'
    '<numFmt numFmtId="171" formatCode="0.0&quot; days&quot;"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="170"/><xf numFmtId="171"/></cellXfs></styleSheet>'
)
SHEET_ROWS = (
    '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>Date</t></is></c>'
    '<c r="C1" t="str"><f>A9</f><v>Temp</v></c><c r="D1" t="s"><v>1</v></c><c r="E1" t="inlineStr">'
    "<is><t>Arrived</t></is></c></row>"
    '<row r="3"><c r="A3" t="s"><v>2</v></c><c r="B3" s="1"><v>46091</v></c>'
    '<c r="C3" s="3"><v>37.200000000000003</v></c>'
    '<c r="E3" s="2"><v>46091.586805555555</v></c></row>'
    '<row r="4"><c r="A4" t="inlineStr"><is><t>=1+1</t></is></c><c r="C4" t="e"><v>#N/A</v></c></row>'
)
STRINGS = (
    "<sst xmlns='x'><si><t>CC</t></si><si><r><t>Al</t></r><r><t>ter</t></r><rPh><t>zzz</t></rPh></si>"
    "<si><t>Fuß &amp; Arm</t></si></sst>"
)
BOOK = (
    '<workbook xmlns="x" xmlns:r="http://r"><workbookPr date1904="0"/><sheets>'
    '<sheet name="One" sheetId="1" r:id="rId1"/>'
    '<sheet name="Two" sheetId="2" r:id="rId2"/></sheets></workbook>'
)
LINKS = (
    '<Relationships xmlns="y"><Relationship Id="rId1" Target="worksheets/sheet1.xml"/>'
    '<Relationship Id="rId2" Target="/xl/worksheets/sheet2.xml"/></Relationships>'
)
XLSX = TableMapping(
    columns={"complaint": "CC", "temperature": "Temp", "when": ("Arrived", "Date"), "age": "Alter"}, day_first=True
)


def write_book(path: Path, rows: str = SHEET_ROWS, **changed: str) -> Path:
    members = {
        "xl/workbook.xml": BOOK,
        "xl/_rels/workbook.xml.rels": LINKS,
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": STRINGS,
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="x"><sheetData>{rows}</sheetData></worksheet>',
        "xl/worksheets/sheet2.xml": '<worksheet xmlns="x"><sheetData/></worksheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, changed.get(name.rpartition("/")[2].removesuffix(".xml"), text))
    return path


def test_workbook(tmp_path: Path) -> None:
    path = write_book(tmp_path / "any.name")
    first, second = TableReader(XLSX).read(str(path))
    assert isinstance(first, Record) and isinstance(second, Record)
    assert first.complaint == "Fuß & Arm" and first.vitals.temperature == 37.2 and first.age_years is None
    assert first.when == datetime.datetime(2026, 3, 10, 14, 5) and first.source.place == 3
    assert second.complaint == "=1+1" and second.vitals.measured == {} and second.source.place == 4
    rows = list(sheets.read_rows(str(path)))
    assert rows[0].cells == ["CC", "Date", "Temp", "Alter", "Arrived"]
    assert rows[2].cells == ["=1+1", "", ""]
    assert rows[1].cells == ["Fuß & Arm", "2026-03-10", "37.2", "", "2026-03-10 14:05:00"]


def test_named_sheet_and_1904(tmp_path: Path) -> None:
    path = write_book(tmp_path / "a.xlsx", workbook=BOOK.replace('date1904="0"', 'date1904="1"'))
    assert list(sheets.read_rows(str(path)))[1].cells[1] == "2030-03-11"
    assert list(sheets.read_rows(str(path), "Two")) == []
    (row,) = sheets.read_rows(str(path), "Three")
    assert "no sheet" in row.fault


BOMB = '<!DOCTYPE sst [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize("part", ["workbook", "styles", "sharedStrings", "sheet1"])
def test_no_entity_is_ever_expanded(tmp_path: Path, part: str) -> None:
    path = write_book(tmp_path / "a.xlsx", **{part: BOMB + "<sst><si><t>&b;</t></si></sst>"})
    (reject,) = TableReader(XLSX).read(str(path))
    assert isinstance(reject, Reject) and "document type" in reject.reason


def test_zip_bombs_are_refused_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_STRINGS", 1 << 16)
    path = write_book(tmp_path / "a.xlsx", sharedStrings="<sst>" + "<si><t>" + "a" * (1 << 17) + "</t></si></sst>")
    (reject,) = TableReader(XLSX).read(str(path))
    assert isinstance(reject, Reject) and "unpacks" in reject.reason
    monkeypatch.setattr(parts, "MAX_VALUE", 1 << 15)
    path = write_book(tmp_path / "a.xlsx", rows=f'<row r="{"1" * (1 << 20)}"/>')
    (reject,) = TableReader(XLSX).read(str(path))
    assert isinstance(reject, Reject) and "larger than any cell" in reject.reason
    monkeypatch.setattr(parts, "MAX_ELEMENTS", 100)
    path = write_book(tmp_path / "a.xlsx", styles=f"<s>{'<a/>' * 200}</s>")
    (reject,) = TableReader(XLSX).read(str(path))
    assert isinstance(reject, Reject) and "too many elements" in reject.reason


def test_a_bomb_of_a_sheet_streams_in_flat_memory(tmp_path: Path) -> None:
    rows = '<row><c r="A1" t="inlineStr"><is><t>CC</t></is></c></row>' + f"<row>{'<c/>' * 2500}</row>" * 100
    path = write_book(tmp_path / "a.xlsx", rows=rows)
    mapping = TableMapping(columns={"complaint": "CC"})
    assert path.stat().st_size < 1 << 17
    tracemalloc.start()
    assert list(TableReader(mapping).read(str(path))) == []
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_a_far_column_costs_nothing(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1" t="str"><v>CC</v></c><c r="ZZZ1"><v>1</v></c></row>'
    (row,) = sheets.read_rows(str(write_book(tmp_path / "a.xlsx", rows=rows)))
    assert row.cells == ["CC"]


def test_a_letter_on_the_border_of_two_pieces_is_utf_8() -> None:
    data = b"a" * ((1 << 20) - 1) + "é".encode()
    assert sheets.find_encoding(io.BytesIO(data)) == "utf-8-sig"
    assert sheets.find_encoding(io.BytesIO(data[:-1])) == "cp1252"


@pytest.mark.parametrize("head", [b"PK\x03\x04rest", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600])
def test_what_is_no_workbook_says_so(file: Path, head: bytes) -> None:
    (reject,) = read(file, head)
    assert isinstance(reject, Reject) and "save it" in reject.reason


def test_csv_memory_stays_flat(file: Path) -> None:
    def peak(count: int) -> int:
        with file.open("w", newline="") as handle:
            handle.write(as_csv([HEADER]))
            for _ in range(count):
                handle.write(as_csv([ROW]))
        tracemalloc.start()
        assert sum(isinstance(item, Record) for item in TableReader(MAPPING).read(str(file))) == count
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(10)
    assert peak(2400) < peak(1000) * 1.3


def test_a_line_without_end_is_cut(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_LINE", 1000)
    plain = [cell.replace("\n", " ").replace('"', "") for cell in ROW]
    text = as_csv([HEADER, plain]) + "x" * 5000 + "\r\n" + as_csv([plain])
    assert [type(i).__name__ for i in read(file, text)] == ["Record", "Reject", "Record"]


def test_an_empty_file_says_so(file: Path) -> None:
    assert read(file, "\n,,\n") == [Reject("visits.csv", 1, "holds no row; export it again")]


def test_missing_file_is_the_users_error(tmp_path: Path) -> None:
    for mapping in (MAPPING, None):
        with pytest.raises(InputError, match="cannot be read"):
            list(TableReader(mapping).read(str(tmp_path / "none.csv")))


TEXT = st.lists(
    st.sampled_from(
        ["MRN", "Age", "DOB", "Sex", ",", ";", "\n", '"', "\r\n", "120/80", "3.3.2026", "99999", "=A1",
         "\0", "\t", "é", "٣",
         "ESI", "-", "1e9", "inf", "²", "\u2028", "h", "Time", "24:61"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(data=TEXT.map(str.encode) | TEXT.map(lambda t: t.encode("utf-16")) | st.binary(max_size=200))
def test_nothing_raises(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    for mapping in (None, MAPPING, TableMapping(columns={"age": "Age", "when": "DOB", "sex": "Sex"})):
        places = [i.place if isinstance(i, Reject) else i.source.place for i in read(path, data, mapping)]
        assert places == sorted(places)


@given(at=st.integers(0, 10_000), noise=st.binary(min_size=1, max_size=8))
def test_a_damaged_workbook_never_raises(tmp_path_factory: pytest.TempPathFactory, at: int, noise: bytes) -> None:
    path = write_book(tmp_path_factory.getbasetemp() / "whole.xlsx")
    data = bytearray(path.read_bytes())
    at %= len(data)
    data[at : at + len(noise)] = noise
    for mapping in (XLSX, None):
        for item in read(path.with_name("fuzz.xlsx"), bytes(data), mapping):
            assert isinstance(item, Record | Reject)


@given(text=st.text(max_size=30) | st.from_regex(r"\A[0-9./: -]{1,20}\Z"))
def test_measures_never_raise(text: str) -> None:
    read_number(text), read_age(text), read_moment(text, True), read_moment(text, False), read_moment(text)
    for field in ("temperature", "systolic", "spo2", "pain", "heart_rate"):
        read_vital(field, text)


def test_ktas_columns_are_found(data_root: Path) -> None:
    path = str(data_root / "ktas_ed" / "ktas_dev.csv")
    mapping = guess_file(path).mapping
    assert mapping.columns["acuity"] == "KTAS_RN" and mapping.scale == "ktas"
    assert mapping.columns["heart_rate"] == "HR" and mapping.columns["complaint"] == "Chief_complain"
    items = list(TableReader(mapping).read(path))
    assert len(items) == 790 and all(isinstance(item, Record) for item in items)
