"""Files that grow: what was noted stays, what was not is cut off."""

import pytest

from prescreen.records.journal import Journal


def test_what_was_not_noted_is_cut_off(tmp_path):
    with Journal(tmp_path, ["a", "b"]) as journal:
        journal.add("a", ["one", "zwölf"])
        journal.counts["cases"] += 2
        journal.note(0, 2)
        journal.add("a", ["three"])
        journal.add("b", ["lost"])
        journal.counts["cases"] += 1
    with Journal(tmp_path, ["a", "b"]) as journal:
        assert (journal.unit, journal.taken, journal.counts["cases"]) == (0, 2, 2)
        journal.add("a", ["four"])
        journal.note(1, 0)
        first, second = journal.finish()
    assert first.read_text() == "one\nzwölf\nfour\n" and second.read_text() == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_an_error_inside_leaves_no_finished_file(tmp_path):
    with pytest.raises(RuntimeError), Journal(tmp_path, ["a"]) as journal:
        journal.add("a", ["one"])
        raise RuntimeError
    assert not (tmp_path / "a").exists()
