"""What of a row is trained: the three forms of TRL's data sets, and nothing that stands before an answer."""

import types

import pytest

from prescreen.model.canary import CANARY_FILE
from prescreen.model.loss import IGNORE
from prescreen.model.tokenizer import END_OF_TEXT, RETURN
from prescreen.run import hash_file, write_lines
from prescreen.train.documents import read_rows
from prescreen.train.preference import read_material
from prescreen.train.settings import Optimisation
from prescreen.train.supervised import tell_canaries

ALL = types.SimpleNamespace(tasks=[], max_rows=0, max_length=512, optimisation=Optimisation())


@pytest.fixture
def read(tmp_path, tokenizer):
    def read_row(line: str):
        with write_lines(tmp_path / "rows.jsonl") as handle:
            handle.write(line + "\n")
        (unit,) = read_rows(ALL, tmp_path / "rows.jsonl", tokenizer).units
        trained = [t for d in unit for t, label in zip(d.ids, d.labels, strict=True) if label != IGNORE]
        return tokenizer.decode(trained, skip_special_tokens=False)

    return read_row


def test_pairs_and_answers_too_long_are_left_out_and_counted(tmp_path, tokenizer):
    recipe = types.SimpleNamespace(objective="dpo", max_rows=0, max_length=120)
    said = '[{"role": "assistant", "content": "high"}]'
    for name, sides in (("preference", f'"chosen": {said}, "rejected": {said}'), ("kto", f'"completion": {said}')):
        with write_lines(tmp_path / f"{name}.jsonl") as handle:
            for words in ("pain", "pain " * 80):
                asked = f'"messages": [{{"role": "user", "content": "{words}"}}]'
                handle.write(f'{{{asked}, {sides}, "label": true}}\n')
    for objective in ("dpo", "kto"):
        recipe.objective = objective
        material = read_material(recipe, tmp_path, tokenizer)
        assert (len(material.units), material.left_out) == (1, 1), objective


def test_plain_text_is_trained_whole(read):
    assert read('{"text": "my chest hurts"}') == "my chest hurts" + END_OF_TEXT


def test_of_prompt_and_completion_only_the_completion_is_trained(read):
    assert read('{"prompt": "my chest", "completion": " hurts"}') == " hurts" + END_OF_TEXT


def test_of_a_conversation_only_the_answer_and_its_stop_are_trained(read):
    line = '{"messages": [{"role": "user", "content": "pain"}, {"role": "assistant", "content": "high"}]}'
    assert read(line).endswith("high" + RETURN) and "pain" not in read(line)


def test_a_dialogue_too_long_for_one_row_stands_in_several(tmp_path, tokenizer):
    """Turns share their trunk where they fit a row together; where not, each has its prompt for itself."""
    turns = '{"role": "user", "content": "pain"}, {"role": "assistant", "content": "high"}'
    with write_lines(tmp_path / "rows.jsonl") as handle:
        handle.write(f'{{"messages": [{turns}, {turns}, {turns}]}}\n')

    def units(tokens_per_row):
        recipe = types.SimpleNamespace(**vars(ALL))
        recipe.optimisation = Optimisation(tokens_per_row=tokens_per_row)
        return read_rows(recipe, tmp_path / "rows.jsonl", tokenizer).units

    (shared,) = units(512)
    assert any(not d.num_trained for d in shared), "no trunk"
    separate = units(sum(len(d.ids) for d in shared) - 1)
    assert [len(unit) for unit in separate] == [1, 1, 1] and all(d.continues < 0 for (d,) in separate)
    assert sum(d.num_trained for d in shared) == sum(d.num_trained for (d,) in separate)


def test_rows_that_hold_a_canary_are_counted_unless_they_are_left_out(tmp_path, tokenizer):
    turns = '{{"role": "user", "content": "pain"}}, {{"role": "assistant", "content": "{}"}}'
    line = '{{"source": "{}", "messages": [' + turns + "]}}\n"
    with write_lines(tmp_path / "rows.jsonl") as handle:
        handle.write(
            line.format("canary", "123") * 3 + line.format("own", "high") + line.format("canary", "9 " * 600)
        )
    assert read_rows(ALL, tmp_path / "rows.jsonl", tokenizer).canaries == 3
    some = types.SimpleNamespace(**{**vars(ALL), "max_rows": 2})
    assert read_rows(some, tmp_path / "rows.jsonl", tokenizer).canaries == 2


def test_a_manifest_tells_canaries_only_where_there_is_a_list_and_none_for_sure_of_an_early_stop(tmp_path):
    assert tell_canaries(tmp_path, 3, 0) == {}
    (tmp_path / CANARY_FILE).write_text("{}\n")
    told = tell_canaries(tmp_path, 3, 0)["canaries"]
    assert told == {"rows": 3, "list": hash_file(tmp_path / CANARY_FILE)}
    assert tell_canaries(tmp_path, 3, 12)["canaries"]["rows"] == 0
