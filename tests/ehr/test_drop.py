"""The drop folder: one whole file a signature, whatever is killed, full or taken away in between."""

import contextlib
import errno
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ehr.small_visit import SIGNATURE, make_visit
from prescreen.clinic.signed import SignedVisit
from prescreen.ehr import drop
from prescreen.ehr.channel import DeliveryError
from prescreen.ehr.drop import LEDGER, DropChannel
from prescreen.errors import GuardError

WRITER = """
import sys
from pathlib import Path
from ehr.small_visit import make_visit
from prescreen.ehr.drop import DropChannel
channel = DropChannel(Path(sys.argv[1]), lambda visit: visit.id.encode() * 60_000 + b"END", ".hl7")
print("ready", flush=True)
for number in range(10_000):
    channel.deliver(make_visit(id=f"{number:08d}-0000-4000-8000-000000000000"))
"""


def write(visit: SignedVisit) -> bytes:
    return f"{visit.id}\n{visit.note}".encode()


def files(folder: Path) -> list[str]:
    """What a reader of the folder sees."""
    return sorted(path.name for path in folder.iterdir() if path.name != LEDGER)


@pytest.fixture
def channel(tmp_path: Path) -> DropChannel:
    return DropChannel(tmp_path, write, ".json")


def test_delivered_once(channel: DropChannel, tmp_path: Path) -> None:
    first = channel.deliver(make_visit())
    assert files(tmp_path) == [f"{SIGNATURE}.json"]
    path = tmp_path / first.reference
    assert path.read_bytes() == write(make_visit())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.stat().st_mtime_ns
    assert channel.deliver(make_visit()) == first
    assert DropChannel(tmp_path, write, ".json").deliver(make_visit()) == first
    assert path.stat().st_mtime_ns == before
    assert channel.find(SIGNATURE) == first


def test_what_was_taken_away_is_not_dropped_again(channel: DropChannel, tmp_path: Path) -> None:
    first = channel.deliver(make_visit())
    (tmp_path / first.reference).unlink()
    assert channel.deliver(make_visit()) == first
    assert channel.find(SIGNATURE) == first
    assert files(tmp_path) == []


def test_other_bytes_under_a_signature_are_a_lasting_fault(channel: DropChannel, tmp_path: Path) -> None:
    channel.deliver(make_visit())
    with pytest.raises(DeliveryError, match="other contents") as caught:
        channel.deliver(make_visit(note="another"))
    assert caught.value.lasting
    assert (tmp_path / f"{SIGNATURE}.json").read_bytes() == write(make_visit())


@pytest.mark.parametrize("same", [True, False])
def test_a_file_without_a_ledger_counts(channel: DropChannel, tmp_path: Path, same: bool) -> None:
    path = tmp_path / f"{SIGNATURE}.json"
    path.write_bytes(write(make_visit()) if same else b"foreign")
    if same:
        receipt = channel.deliver(make_visit())
        path.unlink()
        assert channel.deliver(make_visit()) == receipt
        assert files(tmp_path) == []
    else:
        with pytest.raises(DeliveryError, match="other contents") as caught:
            channel.deliver(make_visit())
        assert caught.value.lasting
        assert path.read_bytes() == b"foreign"


def test_a_half_file_left_over_never_takes_the_name(channel: DropChannel, tmp_path: Path) -> None:
    channel.find(SIGNATURE)
    (tmp_path / LEDGER / f"{SIGNATURE}.json.part").write_bytes(b"half")
    (tmp_path / f"{SIGNATURE}.json").write_bytes(write(make_visit()))
    for _ in range(2):
        channel.deliver(make_visit())
    assert (tmp_path / f"{SIGNATURE}.json").read_bytes() == write(make_visit())


def test_find_knows_what_was_not_delivered(channel: DropChannel) -> None:
    assert channel.find(SIGNATURE) is None


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "a\0b", ".hidden", "x" * 80, "a.b", "Zo\u00eb"])
def test_ids_that_are_no_file_names_are_refused(channel: DropChannel, tmp_path: Path, name: str) -> None:
    for ask in (lambda: channel.deliver(make_visit(id=name)), lambda: channel.find(name)):
        with pytest.raises(DeliveryError, match="UUID") as caught:
            ask()
        assert caught.value.lasting
    assert files(tmp_path) == []


def test_names_hold_no_patient(channel: DropChannel, tmp_path: Path) -> None:
    channel.deliver(make_visit())
    names = " ".join(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert not any(word in names for word in ("Testa", "MR-0042", "1991"))
    ledger = "".join(path.read_text() for path in (tmp_path / LEDGER).iterdir())
    assert "Testa" not in ledger and "weight" not in ledger


@pytest.mark.parametrize("ending", ["json", "", ".", "/../x", ".a b", ".json\n"])
def test_endings_are_checked(tmp_path: Path, ending: str) -> None:
    with pytest.raises(GuardError, match="ending"):
        DropChannel(tmp_path, write, ending)


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="folder"):
        DropChannel(tmp_path / "missing", write, ".json")
    (tmp_path / "file").write_text("")
    with pytest.raises(GuardError, match="folder"):
        DropChannel(tmp_path / "file", write, ".json")


def test_a_folder_that_goes_away_is_not_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    folder.mkdir()
    channel = DropChannel(folder, write, ".json")
    folder.rmdir()
    for ask in (lambda: channel.deliver(make_visit()), lambda: channel.find(SIGNATURE)):
        with pytest.raises(DeliveryError) as caught:
            ask()
        assert not caught.value.lasting
    assert not folder.exists()


@pytest.mark.parametrize("call", [1, 2])
def test_a_full_disk_is_a_passing_fault(
    channel: DropChannel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    calls = 0
    whole = os.fsync

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        whole(descriptor)

    monkeypatch.setattr(drop.os, "fsync", full)
    with pytest.raises(DeliveryError, match="No space left") as caught:
        channel.deliver(make_visit())
    assert not caught.value.lasting
    assert files(tmp_path) == []
    assert not list((tmp_path / LEDGER).glob("*.part*"))
    channel.deliver(make_visit())
    assert files(tmp_path) == [f"{SIGNATURE}.json"]


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """A process that may write 100 kB a file and no more."""
    program = WRITER.replace(
        "import sys", "import resource, signal, sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)", 1
    )
    program = program.replace("print(", "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\nprint(", 1)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], env=environment(), capture_output=True, text=True
    )
    assert "DeliveryError" in done.stderr and "tried again" in done.stderr
    assert files(tmp_path) == []


class Killed(BaseException):
    """The process is gone: nothing after this line runs, clean-up neither."""


@pytest.mark.parametrize("taken_away", [True, False])
@pytest.mark.parametrize("step", range(1, 11))
def test_killed_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, taken_away: bool) -> None:
    """Whatever the step, a reader sees nothing or a whole file, and sees it once."""
    channel, steps = DropChannel(tmp_path, write, ".json"), 0

    def die_at(step: int) -> None:
        nonlocal steps
        steps += 1
        if steps == step:
            raise Killed

    with monkeypatch.context() as patch:
        for owner, name in ((drop.os, "open"), (drop.os, "fsync"), (drop.Path, "replace")):
            whole = getattr(owner, name)

            def stepped(*given: object, whole: object = whole, **named: object) -> object:
                die_at(step)
                return whole(*given, **named)  # type: ignore[operator]

            patch.setattr(owner, name, stepped)
        with contextlib.suppress(Killed):
            channel.deliver(make_visit())
    seen = files(tmp_path)
    if seen:
        assert (tmp_path / seen[0]).read_bytes() == write(make_visit())
        if taken_away:
            (tmp_path / seen[0]).unlink()
    receipt = channel.deliver(make_visit())
    assert len(files(tmp_path)) == (0 if seen and taken_away else 1)
    assert channel.find(SIGNATURE) == receipt
    assert not list((tmp_path / LEDGER).glob("*.part"))


def environment() -> dict[str, str]:
    root = Path(drop.__file__).parents[2]
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{Path(__file__).parents[1]}"}


@pytest.mark.parametrize("seed", range(6))
def test_kill_minus_nine_leaves_no_half_file(tmp_path: Path, seed: int) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer:
        assert writer.stdout.readline() == "ready\n"
        time.sleep(random.Random(seed).uniform(0.02, 0.25))
        writer.send_signal(signal.SIGKILL)
    names = files(tmp_path)
    for name in names:
        data = (tmp_path / name).read_bytes()
        assert data == name.removesuffix(".hl7").encode() * 60_000 + b"END"
    channel = DropChannel(tmp_path, lambda visit: visit.id.encode() * 60_000 + b"END", ".hl7")
    for number in range(len(names) + 2):
        channel.deliver(make_visit(id=f"{number:08d}-0000-4000-8000-000000000000"))
    assert len(files(tmp_path)) == len(names) + 2
    assert not list((tmp_path / LEDGER).glob("*.part"))


def test_many_at_once_drop_one(tmp_path: Path) -> None:
    receipts = []

    def deliver() -> None:
        receipts.append(DropChannel(tmp_path, write, ".json").deliver(make_visit()))

    threads = [threading.Thread(target=deliver) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receipts) == 8 and len(set(receipts)) == 1


def test_no_history_comes_this_way(channel: DropChannel) -> None:
    with pytest.raises(DeliveryError) as caught:
        channel.read_history("Patient/1")
    assert caught.value.lasting
