"""The sealed table: random secrets that stay, nothing readable on the disk, and a list of those who withdrew."""

import sqlite3
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from prescreen.custody import read_withdrawn
from prescreen.errors import GuardError, InputError
from prescreen.records.vault import TABLE, Vault


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "vault"


def test_a_secret_stays_and_is_no_function_of_the_patient(folder, tmp_path):
    with Vault(folder) as vault:
        first = vault.secret("Patient/77")
        assert vault.secret("Patient/77") == first != vault.secret("Patient/78")
    with Vault(folder) as again:
        assert again.secret("Patient/77") == first
    with Vault(tmp_path / "other", folder / "key") as other:  # the same key, another table: drawn anew
        assert other.secret("Patient/77") != first


def test_nothing_of_a_patient_or_file_is_readable(folder):
    with Vault(folder) as vault:
        secret = vault.secret("MRN-Zylberberg-4711")
        label = vault.label_file("ward/Zylberberg.1948.json")
        mark = vault.mark("MRN-Zylberberg-4711", "ab" * 32)
    written = b"".join(path.read_bytes() for path in folder.iterdir() if path.name != "key")
    assert b"Zylberberg" not in written and b"4711" not in written and secret not in written
    assert "Zylberberg" not in label + mark and label.endswith(".json") and "1948" not in label
    with Vault(folder) as vault:
        assert (
            vault.find_file(label) == "ward/Zylberberg.1948.json" and vault.find_file("file-000000000000") is None
        )


def test_without_its_key_the_table_stays_shut(folder, tmp_path):
    with Vault(folder) as vault:
        vault.secret("p")
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    key = (folder / "key").read_text()
    (folder / "key").write_text("00" * 32)
    with pytest.raises(GuardError, match="not this table's key"):
        Vault(folder)
    (folder / "key").unlink()
    with pytest.raises(GuardError, match="key is not here"):
        Vault(folder)
    (folder / "key").write_text(key)
    (folder / "key").chmod(0o644)
    with pytest.raises(GuardError, match="chmod 600"):
        Vault(folder)
    (folder / "key").chmod(0o600)
    (folder / "key").write_text("no key")
    with pytest.raises(GuardError, match="not a key of this program"):
        Vault(folder)


def ask(folder):
    with Vault(folder, shared=True) as vault:
        return [vault.secret(f"p{n}") for n in range(40)], vault.label_file("one.json")


def test_several_processes_draw_one_secret_for_one_patient(folder):
    Vault(folder).save()
    with ProcessPoolExecutor(4, get_context("spawn")) as pool:
        answers = list(pool.map(ask, [folder] * 4))
    assert all(answer == answers[0] for answer in answers) and len(set(answers[0][0])) == 40


def test_a_changed_entry_is_noticed(folder):
    with Vault(folder) as vault:
        one, two = vault.secret("one"), vault.secret("two")
    assert one != two
    base = sqlite3.connect(folder / TABLE)
    rows = base.execute("SELECT look, sealed FROM patients").fetchall()
    for (look, _), (_, sealed) in zip(rows, reversed(rows), strict=True):  # one patient's secret for another's
        base.execute("UPDATE patients SET sealed = ? WHERE look = ?", (sealed, look))
    base.commit()
    base.close()
    with pytest.raises(GuardError, match="changed"):
        Vault(folder)


def test_a_damaged_table_says_so(folder):
    with Vault(folder) as vault:
        vault.secret("p")
    (folder / TABLE).write_bytes(b"no database" * 400)
    with pytest.raises(InputError, match="restore it"):
        Vault(folder)


def test_withdrawal_by_key_by_code_and_ahead(folder):
    with Vault(folder) as vault:
        vault.secret("p1")
        vault.secret("p2")
        entries = {entry.key: entry for entry in vault.entries()}
        vault.withdraw("p1")
        vault.withdraw(entries["p2"].codes()["limited"])
        with pytest.raises(InputError, match="no patient"):
            vault.withdraw("p3")
        ahead = vault.withdraw("p3", ahead=True)
        assert vault.secret("p3") == ahead.secret
    every = {code for entry in (*entries.values(), ahead) for code in entry.codes().values()}
    assert len(every) == 6 and read_withdrawn(folder) == every
    assert "p1" not in (folder / "withdrawn.txt").read_text()


def test_reading_makes_no_table(folder):
    with pytest.raises(InputError, match="no sealed table"):
        Vault(folder, new=False)
    assert not folder.exists()
