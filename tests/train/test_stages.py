"""The stages on a toy data run: they learn, resume after a kill, and leave models that read back equal."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from prescreen.errors import GuardError
from prescreen.model.weights import load_model
from prescreen.run import Run, read_jsonl
from prescreen.train import export, preference, start, supervised
from prescreen.train.documents import turn_documents
from prescreen.train.preference import PreferenceRecipe
from prescreen.train.settings import Lora
from prescreen.train.trainer import check_model
from small_runs import BRIEF, FAST, SMALL, DataRecipe, carry_out, supervise, write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("runs") / "01-data")


@pytest.fixture(scope="module")
def base(data):
    recipe = supervise("pretrain", "cpt", twin=SMALL, method="full")
    return carry_out(supervised, data, "02-base", recipe)


@pytest.fixture(scope="module")
def sft(data, base):
    recipe = supervise("sft", "sft", method="lora", inputs={"parent": "02-base"}, lora=Lora(rank=4), how=BRIEF)
    return carry_out(supervised, data, "03-sft", recipe, parent=base)


def test_pretraining_lowers_perplexity(base):
    before, after = base.metrics["perplexity_before"], base.metrics["perplexity"]
    assert after["medical"] < before["medical"] / 3
    assert base.metrics["packing_efficiency"] > 0.5
    assert [r["step"] for r in read_jsonl(base.folder / "log.jsonl")] == list(range(1, base.metrics["steps"] + 1))


def test_an_adapter_reads_back_and_merges_equal(data, base, sft):
    """save -> load -> merge gives the trained model's logits."""
    assert sft.metrics["valid_loss"]["after"] < sft.metrics["valid_loss"]["before"]
    ids = torch.randint(0, 200, (1, 30))
    live = load_model(sft.folder, merge=False).model.eval()
    merged = load_model(sft.folder).model.eval()
    plain = load_model(base.folder).model.eval()
    with torch.no_grad():
        assert (live(ids).logits - merged(ids).logits).abs().max() < 1e-5
        assert (plain(ids).logits - merged(ids).logits).abs().max() > 1e-3, "the adapter must change something"


def export_of(parent: str) -> export.ExportRecipe:
    """An export whose rows state no level."""
    inputs = {"data": "01-data", "parent": parent}
    return export.ExportRecipe(stage="export", min_level_agreement=0, inputs=inputs)


def test_dpo_starts_at_ln_2_learns_and_exports(data, sft):
    recipe = PreferenceRecipe(
        stage="dpo", inputs={"data": "01-data", "parent": "03-sft"}, lora=Lora(rank=4), optimisation=BRIEF
    )
    dpo = carry_out(preference, data, "04-dpo", recipe, parent=sft)
    first = next(read_jsonl(dpo.folder / "log.jsonl"))
    assert abs(first["loss"] - 0.6931) < 1e-4
    assert dpo.metrics["valid_loss"]["before"] == pytest.approx(0.6931, abs=1e-4)
    assert dpo.metrics["valid_loss"]["after"] < dpo.metrics["valid_loss"]["before"]
    exported = carry_out(
        export, data, "05-export",
        export_of("04-dpo"), parent=dpo,
    )  # fmt: skip
    assert exported.metrics["drift"]["num_tokens"] > 20
    assert exported.metrics["drift"]["kl_per_token"] < 0.5
    load_model(exported.folder)


def test_an_mxfp4_base_trains_as_stored_exports_and_loads_again(data, base):
    """openai's layout in, an adapter on all experts, openai's layout out; the same losses as on decoded weights."""
    packed = carry_out(
        export, data, "06-packed",
        export_of("02-base"), parent=base,
    )  # fmt: skip
    losses = {}
    for kept in ("mxfp4", "decoded"):
        recipe = supervise(
            "sft", "sft", method="lora", base_experts=kept, host_embeddings=kept == "mxfp4",
            base=str(packed.folder / "model"), lora=Lora(rank=4), how=BRIEF,
        )  # fmt: skip
        run = carry_out(supervised, data, f"07-{kept}", recipe)
        losses[kept] = [r["loss"] for r in read_jsonl(run.folder / "log.jsonl")]
    assert losses["mxfp4"] == pytest.approx(losses["decoded"], abs=1e-4)
    assert losses["mxfp4"][-1] < losses["mxfp4"][0]
    tuned = Run(packed.folder.parent / "07-mxfp4", DataRecipe(stage="data"))
    out = carry_out(
        export, data, "08-export",
        export_of("07-mxfp4"), parent=tuned,
    )  # fmt: skip
    stock = AutoModelForCausalLM.from_pretrained(
        out.folder / "model", dtype=torch.float32, attn_implementation="eager"
    ).float()
    ids = torch.randint(0, 200, (1, 30))
    assert torch.allclose(stock(ids).logits, load_model(out.folder).model(ids).logits, atol=1e-5)


@pytest.mark.parametrize("frozen", [{"base_experts": "mxfp4"}, {"host_embeddings": True}])
def test_what_stays_frozen_refuses_full_training(frozen):
    with pytest.raises(ValueError, match="choose method: lora"):
        supervise("sft", "sft", method="full", base="twin", **frozen)


def test_full_training_leaves_what_it_is_told_to_leave(data, base):
    recipe = supervise(
        "sft", "sft", method="full", inputs={"parent": "02-base"}, how=BRIEF, frozen=["sinks", "router"]
    )
    tuned = load_model(carry_out(supervised, data, "09-frozen", recipe, parent=base).folder).model.state_dict()
    kept = {"sinks", "router"}
    for name, before in load_model(base.folder).model.state_dict().items():
        same = torch.equal(tuned[name], before)
        assert same == bool(kept & set(name.split("."))), name
    with pytest.raises(ValueError, match="frozen is for method: full"):
        supervise("sft", "sft", method="lora", base="twin", frozen=["sinks"])


def test_dpo_may_stay_close_to_the_base_instead_of_its_parent(data, base, sft):
    """Log-probabilities of the base are those without the parent's adapter; training then starts elsewhere."""
    recipe = PreferenceRecipe(
        stage="dpo", inputs={"data": "01-data", "parent": "03-sft"}, lora=Lora(rank=4), optimisation=BRIEF,
        reference="base",
    )  # fmt: skip
    dpo = carry_out(preference, data, "10-dpo", recipe, parent=sft)
    kept = torch.tensor(json.loads((dpo.folder / "reference.json").read_text()))
    scores = []
    for run in (base, sft):
        model, tokenizer, _ = load_model(run.folder)
        start.use_packed_attention(model)
        pairs, _ = preference.read_pairs(recipe, data.folder / "train" / "preference.jsonl", tokenizer)
        scores.append(preference.pair_logprobs(model, pairs, 1024))
    assert torch.allclose(kept, scores[0], atol=1e-4)
    assert not torch.allclose(kept, scores[1], atol=1e-2)


KILLER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from transformers import TrainerCallback
import prescreen.train.trainer as trainer
import small_runs as stages
from prescreen.train import supervised
from prescreen.run import Run

class Kill(TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        if state.global_step == {step}:
            os.kill(os.getpid(), signal.SIGKILL)

fit = trainer.fit
trainer.fit = lambda *a, **k: fit(*a, **k, callbacks=[Kill()])
data = Run(Path({data!r}), stages.DataRecipe(stage="data"))
recipe = stages.supervise("pretrain", "cpt", twin=stages.SMALL, method="full")
stages.carry_out(supervised, data, "killed", recipe)
"""


@pytest.mark.parametrize("how", ["selective", "full"])
def test_recomputing_trains_the_same_model_and_leaves_no_trace_in_it(data, base, how):
    """The whole stage, checkpoints included; transformers switches the cache off and must switch it on again."""
    again = FAST.model_copy(update={"recompute": how})
    run = carry_out(
        supervised, data, f"recompute-{how}", supervise("pretrain", "cpt", twin=SMALL, method="full", how=again)
    )
    losses = [[row["loss"] for row in read_jsonl(r.folder / "log.jsonl")] for r in (base, run)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    settings = [json.loads((r.folder / "model" / "config.json").read_text()) for r in (base, run)]
    assert settings[0] == settings[1] and settings[0]["use_cache"]


@pytest.mark.slow
def test_kill_9_then_resume_ends_where_an_uninterrupted_run_does(data, base):
    """Killed between two checkpoints; the same loss, to the last digit, and the same weights."""
    script = KILLER.format(tests=str(Path(__file__).parents[1]), step=5, data=str(data.folder))
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    recipe = supervise("pretrain", "cpt", twin=SMALL, method="full")
    run = Run(data.folder.parent / "killed", recipe, {"data": data}, code="test")
    assert not run.is_current() and list((run.folder / "checkpoints").iterdir())
    run.start()
    supervised.main(recipe, run)
    logs = [list(read_jsonl(r.folder / "log.jsonl")) for r in (base, run)]
    assert [r["loss"] for r in logs[0]] == [r["loss"] for r in logs[1]]
    mine, theirs = (load_model(r.folder).model.state_dict() for r in (base, run))
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_ten_rows_can_be_learnt_by_heart(data, base):
    how = FAST.model_copy(update={"epochs": 80, "save_every": 0, "tokens_per_row": 2048, "learning_rate": 2e-2})
    recipe = supervise("sft", "sft", method="full", max_rows=10, how=how, inputs={"parent": "02-base"})
    run = carry_out(supervised, data, "by-heart", recipe, parent=base)
    assert list(read_jsonl(run.folder / "log.jsonl"))[-1]["loss"] < 0.05


def test_overlong_dialogues_are_left_out_and_counted_never_cut(data, base):
    recipe = supervise("sft", "sft", method="lora", max_length=90, inputs={"parent": "02-base"}, how=FAST)
    with pytest.raises(GuardError, match="no row"):
        carry_out(supervised, data, "overlong", recipe, parent=base)


def test_guard_rails(base):
    model, tokenizer, _ = load_model(base.folder)
    model.config.router_aux_loss_coef = 0.9
    with pytest.raises(GuardError, match="router loss"):
        check_model(model)
    model.config.router_aux_loss_coef = 0.0
    model.config._experts_implementation = "sonicmoe"
    with pytest.raises(GuardError, match="sonicmoe"):
        check_model(model)
    model.config._experts_implementation = "eager"
    with pytest.raises(GuardError, match="fp16"):
        check_model(model.half())
    with pytest.raises(GuardError, match="trainable"):
        check_model(model.float().requires_grad_(False))
    assert not turn_documents([{"role": "user", "content": "hello"}], tokenizer)


def test_the_router_stays_frozen(base):
    wrapped = start.add_adapter(load_model(base.folder).model, Lora(rank=2))
    trained = [n for n, p in wrapped.named_parameters() if p.requires_grad]
    assert trained and not any("router" in n for n in trained)
    assert any("experts" in n for n in trained) and any("q_proj" in n for n in trained)


@pytest.mark.parametrize(
    "values", [{}, {"base": "twin", "inputs": {"parent": "x"}}, {"twin": SMALL}], ids=["none", "two", "twin"]
)
def test_a_stage_has_exactly_one_start(values):
    with pytest.raises(ValueError, match=r"start|pretrain"):
        supervise("sft", "sft", **values)
