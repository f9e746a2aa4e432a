"""A token classifier from a folder: whole stretches at the right places, however long the text."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from prescreen.errors import WeightsError
from prescreen.model.entities import Found, TokenClassifier, join_marks
from prescreen.records.deid.taggers import load_classifier, load_detectors, name_label

WORDS = ["[PAD]", "[UNK]", "zorblat", "quimby", "oakmere", "seen", "with"]
LABELS = ["O", "B-private_person", "E-private_person", "S-private_address"]


@pytest.fixture
def folder(tmp_path):
    """A classifier without layers whose answers are its words: zorblat quimby is a person, oakmere an address."""
    config = BertConfig(vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=0, num_attention_heads=1,
                        intermediate_size=8, max_position_embeddings=32, id2label=dict(enumerate(LABELS)),
                        label2id={label: n for n, label in enumerate(LABELS)})  # fmt: skip
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for embedding in (model.bert.embeddings.position_embeddings, model.bert.embeddings.token_type_embeddings):
            embedding.weight.zero_()
        model.bert.embeddings.word_embeddings.weight.copy_(torch.eye(len(WORDS), 8))
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([0.5, 0.0, 0.0, 0.0]))
        for label, word in ((1, "zorblat"), (2, "quimby"), (3, "oakmere")):
            model.classifier.weight[label, WORDS.index(word)] = 1.0
    model.save_pretrained(tmp_path)
    words = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(tmp_path)
    return tmp_path


def test_labels_become_stretches_of_the_text(folder):
    found = TokenClassifier(folder).find("seen with zorblat quimby, from oakmere")
    assert found == [Found(10, 24, "private_person"), Found(31, 38, "private_address")]


def test_a_long_text_is_read_to_its_end_and_nothing_twice(folder):
    text = "seen with " * 60 + "zorblat quimby " + "with " * 40 + "oakmere"
    found = TokenClassifier(folder).find(text)
    assert [text[f.start : f.end] for f in found] == ["zorblat quimby", "oakmere"]


def test_it_serves_as_a_detector_of_rows(folder):
    detectors = load_detectors((str(folder),))
    assert detectors[-1].name.startswith("classifier ")
    spans = load_classifier(folder).find("seen with zorblat quimby from oakmere")
    assert [(span.kind, span.layer) for span in spans] == [("name", "detector"), ("place", "detector")]


def test_what_is_no_classifier_is_said(tmp_path):
    with pytest.raises(WeightsError, match="holds no model"):
        TokenClassifier(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match="no token classifier"):
        TokenClassifier(tmp_path)


def test_joining_and_naming():
    assert join_marks([Found(3, 5, "A"), Found(0, 2, "A"), Found(6, 7, "B")]) == [
        Found(0, 5, "A"),
        Found(6, 7, "B"),
    ]
    assert [name_label(label) for label in ("private_person", "ADDRESS", "account_number", "DATE", "secret")] == [
        "PERSON", "LOC", "IBAN_CODE", "", "",
    ]  # fmt: skip
