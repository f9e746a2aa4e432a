"""The command line: instant help, one sentence for every mistake, exit codes a script can trust."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from prescreen import cli
from prescreen.pipeline import lock_folder
from prescreen.run import Run
from small_server import MODEL, Reply, serve
from small_stages import MakeRecipe, make


@pytest.fixture
def prescreen(
    stages: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Call the entry point in this process with the small stages; returns exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    for name in ("PRESCREEN_DEBUG", *cli.ENVIRONMENT):
        monkeypatch.setenv(name, "before")  # so that what main() sets is undone after the test
        monkeypatch.delenv(name)
    for name, target in stages.items():
        monkeypatch.setitem(cli.STAGES, name, target)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["prescreen", *map(str, arguments)])
        with pytest.raises(SystemExit) as leave:
            cli.main()
        out, err = capsys.readouterr()
        return int(leave.value.code or 0), out, err

    return call


Call = Callable[..., tuple[int, str, str]]


def assert_one_sentence(err: str) -> None:
    assert err.startswith("prescreen: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys, prescreen.cli\nsys.argv = ['prescreen', '--help']\n"
        "try: prescreen.cli.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'transformers', 'numpy', 'pydantic', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_folder_runs_then_skips(prescreen: Call, small: Path) -> None:
    code, out, _ = prescreen("run", small)
    assert code == 0
    assert out.count("done in") == 2
    assert Path("runs/small/02-copy/manifest.json").exists()
    code, out, _ = prescreen("run", small)
    assert code == 0
    assert out.count("unchanged, skipped") == 2


def test_runs_folder_and_overrides(prescreen: Call, small: Path, tmp_path: Path) -> None:
    assert prescreen("run", small, "make.text=bye", "times=3", "--runs", tmp_path / "other")[0] == 0
    assert (tmp_path / "other" / "small" / "02-copy" / "text.txt").read_text() == "byebyebye"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("recipes/gone",), "no such recipe or folder"),
        (("recipes",), "holds no recipes"),
        (("recipes/small", "lr=1"), "no recipe in recipes/small has this key"),
        (("recipes/small", "seed"), "is no override; write key=value"),
        (("recipes/small", "times=many"), "times: Input should be a valid integer"),
        (("recipes/small", "make.boom=disk"), "the disk is full; free some space"),
        (("recipes/small", "source=gone.csv"), "gone.csv: the recipe reads this, but it is not there"),
    ],
)
def test_mistakes_are_one_sentence(prescreen: Call, small: Path, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = prescreen("run", *arguments)
    assert code == 1
    assert_one_sentence(err)
    assert message in err


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"stage": "bake"}, "unknown stage 'bake'; known: "),
        ({}, "unknown stage None"),
        ({"stage": "make", "txt": "x"}, "txt: unknown key"),
        ({"stage": "make", "inputs": {"data": "00-data"}}, "no earlier recipe"),
    ],
)
def test_check_finds_what_is_wrong(
    prescreen: Call, write_recipes: Callable[..., Path], recipe: Mapping[str, object], message: str
) -> None:
    code, _, err = prescreen("check", write_recipes({"01-make": recipe}))
    assert code == 1
    assert_one_sentence(err)
    assert message in err


def test_check_takes_folders_and_files(prescreen: Call, small: Path) -> None:
    code, out, _ = prescreen("check", small, small / "02-copy.yaml")
    assert code == 0
    assert [line.rsplit(": ", 1)[1] for line in out.splitlines()] == ["2 recipes fine", "1 recipe fine"]


def test_runs_folder_that_cannot_be_made_is_one_sentence(prescreen: Call, small: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = prescreen("run", small, "--runs", tmp_path / "file")
    assert code == 1
    assert_one_sentence(err)
    assert "Not a directory" in err


def test_debug_shows_the_traceback(prescreen: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESCREEN_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["prescreen", "check", "recipes/gone"])
    with pytest.raises(ValueError, match="no such recipe"):
        cli.main()


def test_interruption_exits_130_and_says_how_to_go_on(prescreen: Call, small: Path) -> None:
    code, _, err = prescreen("run", small, "boom=interrupt")
    assert code == 130
    assert "run again to resume" in err
    code, _, _ = prescreen("run", small)
    assert code == 0


def test_second_run_in_the_same_folder_waits(prescreen: Call, small: Path, tmp_path: Path) -> None:
    with lock_folder(tmp_path / "runs" / "small"):
        code, _, err = prescreen("run", small)
    assert code == 1
    assert_one_sentence(err)
    assert f"process {os.getpid()} is running in this folder" in err


def test_show_a_run_a_folder_and_a_changed_output(prescreen: Call, small: Path) -> None:
    prescreen("run", small)
    code, out, _ = prescreen("show", "runs/small")
    assert code == 0
    assert "01-make" in out and "02-copy" in out
    code, out, _ = prescreen("show", "runs/small/02-copy")
    assert code == 0
    assert "source = 01-make" in out and "text.txt" in out
    Path("runs/small/02-copy/text.txt").write_text("changed")
    code, _, err = prescreen("show", "runs/small/02-copy")
    assert code == 1
    assert_one_sentence(err)
    assert "changed since it was written: text.txt" in err


@pytest.mark.parametrize("folder", ["runs/gone", "recipes"])
def test_show_nothing(prescreen: Call, small: Path, folder: str) -> None:
    code, _, err = prescreen("show", folder)
    assert code == 1
    assert_one_sentence(err)


def test_environment_is_quiet_and_offline_unless_the_user_says_otherwise(
    prescreen: Call, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    seen: dict[str, str] = {}

    def look(recipe: MakeRecipe, run: Run) -> None:
        seen.update({name: os.environ[name] for name in cli.ENVIRONMENT})
        make(recipe, run)

    monkeypatch.setattr(sys.modules["stage_make"], "main", look)
    assert prescreen("run", small)[0] == 0
    assert seen == {**cli.ENVIRONMENT, "GOMP_SPINCOUNT": "7"}
    assert seen["HF_HUB_OFFLINE"] == seen["TRANSFORMERS_OFFLINE"] == seen["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_doctor_reports_as_json(prescreen: Call) -> None:
    code, out, _ = prescreen("doctor", "--json")
    signs = {sign["name"]: sign for sign in json.loads(out)}
    assert {"python", "torch", "transformers", "device", "disk", "memory", "tiny base"} <= set(signs)
    assert code == int(any(sign["state"] == "fault" for sign in signs.values()))


VAST = {"stage": "cpt", "inputs": {"data": "01-data"}, "rows": "cpt", "base": "/models/gone"}
VAST |= {"optimisation": {"tokens_per_row": 10**9}}


def test_run_refuses_what_will_not_fit_unless_forced(prescreen: Call, write_recipes: Callable[..., Path]) -> None:
    folder = write_recipes({"01-data": {"stage": "data"}, "02-cpt": VAST})
    code, _, err = prescreen("run", folder)
    assert code == 1
    assert_one_sentence(err)
    assert "02-cpt needs about" in err and "base_experts=mxfp4 optimisation.recompute=full" in err
    assert not Path("runs").exists()
    _, _, err = prescreen("run", folder / "02-cpt.yaml", "--force")
    assert "runs/small/01-data: no such run" in err


def test_doctor_predicts_memory_and_time_of_recipes(prescreen: Call, write_recipes: Callable[..., Path]) -> None:
    folder = write_recipes({"01-data": {"stage": "data"}, "02-cpt": {**VAST, "base": "twin"}})
    code, out, _ = prescreen("doctor", folder, "optimisation.tokens_per_row=2048", "--parts", "--json")
    signs = {sign["name"]: sign for sign in json.loads(out)}
    figures, detail = signs["02-cpt"]["figures"], signs["02-cpt"]["detail"]
    assert figures["peak"] == sum(figures["parts"].values()) and "(runtime 0." in detail
    if "speed" in signs and signs["speed"]["state"] == "ok":
        assert figures["tokens_per_s"] == pytest.approx(figures["tokens_per_step"] / figures["step_s"])
        assert figures["stage_s"] is None and "a million tokens" in detail
    code, out, _ = prescreen("doctor", folder, "--json")
    assert code == 1 and "it does not fit: base_experts=mxfp4" in out


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "no readable config.json"),
        ({"model_type": "llama"}, "a 'llama' model; prescreen tunes gpt_oss"),
        ({"model_type": "gpt_oss"}, "missing model.safetensors"),
    ],
)
def test_doctor_faults_a_wrong_model_folder(
    prescreen: Call, tmp_path: Path, config: dict[str, str] | None, message: str
) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    code, out, _ = prescreen("doctor", "--json", "--model", tmp_path)
    assert code == 1
    assert any(sign["state"] == "fault" and message in sign["detail"] for sign in json.loads(out))


def test_doctor_hashes_weights_when_asked(prescreen: Call, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt_oss", "dtype": "bfloat16"}))
    (tmp_path / "model.safetensors").write_bytes(b"hello")
    _, out, _ = prescreen("doctor", "--json", "--model", tmp_path, "--hash")
    hashes = [sign["detail"] for sign in json.loads(out) if sign["name"] == "model folder sha256"]
    hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert hashes == [f"{hello}  model.safetensors"]


SAMPLE = {
    "history": "Patient has hypertension and type 2 diabetes, no known allergies.",
    "symptoms": "Complains of chest pain and shortness of breath.",
}


def test_draft_by_rules_never_lowers_and_names_the_reason(prescreen: Call, tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text(json.dumps(SAMPLE))
    code, out, _ = prescreen("draft", "case.json", "--rules-only")
    assert code == 0
    report = json.loads(out)
    assert report["acuity"] in ("high", "emergency")
    assert report["model_acuity"] is None
    assert report["status"] == "draft for nurse review"


@pytest.mark.parametrize("content", ["{", "[]", json.dumps([SAMPLE, SAMPLE]), "\x00"])
def test_draft_of_no_single_case_is_one_sentence(prescreen: Call, tmp_path: Path, content: str) -> None:
    (tmp_path / "case.json").write_text(content)
    code, _, err = prescreen("draft", "case.json", "--rules-only")
    assert code == 1
    assert_one_sentence(err)
    assert "case.json" in err


def test_eval_scores_the_rules_on_a_clinics_file(prescreen: Call, tmp_path: Path) -> None:
    row = {**SAMPLE, "diagnosis_report": "Possible angina. ECG.", "triage_priority": "High"}
    (tmp_path / "cases.jsonl").write_text(json.dumps(row) + "\n")
    code, _, _ = prescreen("eval", "--cases", "cases.jsonl", "--rules-only", "--out", "scores")
    assert code == 0
    metrics = json.loads((tmp_path / "scores" / "metrics.json").read_text())
    assert metrics["suites"]["own cases"]["labelled"] == 1
    assert (tmp_path / "scores" / "predictions.jsonl").exists()


def test_eval_without_a_model_is_one_sentence(prescreen: Call, tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text(json.dumps({**SAMPLE, "triage_priority": "High"}) + "\n")
    code, _, err = prescreen("eval", "--cases", "cases.jsonl")
    assert code == 1
    assert_one_sentence(err)


def test_wrong_option_is_a_usage_error(prescreen: Call) -> None:
    code, _, err = prescreen("run", "--speed")
    assert code == 2
    assert "Traceback" not in err


def test_ctrl_c_in_a_real_process(tmp_path: Path, small: Path) -> None:
    """The installed command, a stage that waits, a signal from outside."""
    program = f"""
import signal, sys, types, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us with it ignored
sys.path.insert(0, {str(Path(__file__).parent)!r})
import small_stages
from prescreen import cli
module = types.ModuleType("slow")
module.__file__ = small_stages.__file__
def main(recipe, run):
    print("begun", flush=True)
    time.sleep(60)
module.main, module.Settings = main, small_stages.MakeRecipe
sys.modules["slow"] = module
cli.STAGES["make"] = cli.STAGES["copy"] = "slow:Settings"
sys.argv = ["prescreen", "run", {str(small / "01-make.yaml")!r}, "--runs", {str(tmp_path / "runs")!r}]
cli.main()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while "begun" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "run again to resume" in err
    assert "Traceback" not in err


def test_eval_asks_a_server_and_reads_its_key_from_the_environment(
    prescreen: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESCREEN_API_KEY", "secret")
    row = {**SAMPLE, "diagnosis_report": "Possible angina. ECG.", "triage_priority": "High"}
    (tmp_path / "cases.jsonl").write_text(json.dumps(row) + "\n")
    with serve(lambda body: Reply("no report")) as server:
        model = ("--endpoint", server.url, "--model-name", MODEL, "--out", "scores")
        code, out, _ = prescreen("eval", "--cases", "cases.jsonl", *model)
    assert code == 0 and f"the cases' text goes to {server.url}" in out
    assert server.headers[0]["authorization"] == "Bearer secret"
    metrics = (tmp_path / "scores" / "metrics.json").read_text()
    assert json.loads(metrics)["suites"]["own cases"]["systems"]["model"]["alone"]["exact"]["no_answer"] == 1
    assert "secret" not in metrics + out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give --cases FILE, --bank or --tasks"),
        (("--tasks", "knit"), "unknown task 'knit'"),
        (
            ("--cases", "cases.jsonl", "--endpoint", "http://localhost:9/v1"),
            "--endpoint and --model-name go together",
        ),
        (("--cases", "cases.jsonl", "--endpoint", "localhost", "--model-name", "m"), "such as http://localhost"),
    ],
)
def test_eval_mistakes_are_one_sentence(
    prescreen: Call, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "cases.jsonl").write_text(json.dumps({**SAMPLE, "triage_priority": "High"}) + "\n")
    code, _, err = prescreen("eval", *arguments)
    assert code == 1
    assert_one_sentence(err)
    assert message in err


def test_bank_goes_out_and_comes_back(prescreen: Call, tmp_path: Path) -> None:
    case = '{id: a, style: note, complaint: "an itching elbow"}'
    about = "condition: itch, level: low, source: a textbook, why: nothing is at stake"
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "skin.yaml").write_text(f"conditions: [{{{about}, cases: [{case}]}}]\n")
    code, out, _ = prescreen("bank", "export", "ann.csv", "--bank", "cases")
    assert code == 0 and "1 cases are in ann.csv" in out
    code, _, err = prescreen("bank", "export", "ann.csv", "--bank", "cases")
    assert code == 1 and "may hold a review" in err
    sheet = (tmp_path / "ann.csv").read_text()
    (tmp_path / "ann.csv").write_text(sheet.rstrip().rstrip(",") + ",high,hm\r\n")
    code, out, _ = prescreen("bank", "read", "ann.csv", "--bank", "cases", "--out", "review.json")
    assert code == 0 and "ann: 0/1" in out and "bank low; ann high (ann: hm)" in out
    assert json.loads((tmp_path / "review.json").read_text())["differences"][0]["gap"] == 2
    code, _, err = prescreen("bank", "read", "ann.csv", "--bank", "empty")
    assert code == 1
    assert_one_sentence(err)


def test_dossier_of_nothing_is_one_sentence(prescreen: Call, small: Path) -> None:
    code, _, err = prescreen("dossier", "runs/gone")
    assert code == 1
    assert_one_sentence(err)
    prescreen("run", small)
    code, _, err = prescreen("dossier", "runs/small")
    assert code == 1 and "no finished evaluation" in err
