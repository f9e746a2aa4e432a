"""Words weighed together: a table anyone can refit, in which a denial speaks against nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.clinic.case import Case, Turn
from prescreen.clinic.redflags import check_rules, load_rules
from prescreen.clinic.weighed import Weighing, Weights, load_weights, stem_word
from prescreen.clinic.words import Words
from prescreen.data.voices import read_voices
from prescreen.data.weighing import fit_weights, read_examples

DARK = "all of a sudden grey and clammy, words slurred, cannot lift that arm"


def make_case(complaint, **more):
    return Case(id="t", patient_id="t", source="test", licence="test", complaint=complaint, **more)


def weigh(case):
    table = load_rules()
    return Weighing(case, Words(case, table.lexicon), table.terms)


def fires(case):
    return any(hit.rule.id == "words-together" for hit in check_rules(case))


def test_the_table_is_what_the_voices_give():
    """Fitted again it is the same, so that nobody can slip in a weight by hand."""
    stored, again = load_weights(), fit_weights(read_examples(read_voices()))
    assert abs(stored.constant - again.constant) < 0.05
    far = {name for name in stored.features | again.features
           if abs(stored.features.get(name, 0) - again.features.get(name, 0)) > 0.11}  # fmt: skip
    assert len(far) <= len(stored.features) // 200, sorted(far)[:5]


def test_what_stands_in_the_record_weighs_for_an_emergency_or_not_at_all():
    assert min(weight for name, weight in load_weights().features.items() if name.startswith("record ")) > 0


DENIED = ("itching", "fever", "cough", "rash", "vomiting", "pain in the chest", "headache")
DENIALS = ("no {}", "denies {}", "not had any {}", "without {}", "never had {}", "negative for {}")
OTHER = ("I feel fine really", "The cream helped, repeat please", "thanks", "sore knee")


@given(st.sampled_from(DENIED), st.sampled_from(DENIALS))
@settings(max_examples=42, deadline=None)
def test_a_denial_takes_nothing_away(symptom, denial):
    """Before or after: what is denied weighs nothing, and little words ("had", "any") next to nothing."""
    denied = denial.format(symptom)
    assert weigh(make_case(f"{DARK}. {denied}")).heaviest()[0] >= weigh(make_case(DARK)).heaviest()[0] - 0.35
    assert fires(make_case(f"{DARK}. {denied}")) and fires(make_case(f"{denied}. {DARK}"))


@given(st.lists(st.sampled_from(OTHER), max_size=4))
@settings(max_examples=20, deadline=None)
def test_what_is_said_in_other_turns_takes_nothing_away(more):
    turns = tuple(Turn(speaker="patient", text=text) for text in more)
    assert weigh(make_case(DARK, turns=turns)).heaviest()[0] >= weigh(make_case(DARK)).heaviest()[0]
    assert fires(make_case(DARK, turns=turns))


def test_history_is_not_weighed():
    assert not fires(make_case("Repeat of my cream please, I feel well.", history_text=DARK))


def test_the_evidence_names_the_words():
    (hit,) = [hit for hit in check_rules(make_case(DARK)) if hit.rule.id == "words-together"]
    total, told = weigh(make_case(DARK)).heaviest()
    assert hit.evidence == f"words {round(total, 1)} ({told})" and "sudden" in told


def test_sums_and_their_explanation():
    weights = Weights(-1.0, {"word grey": 2.0, "word fine": -3.0, "pair cold sweat": 0.5})
    assert weights.weigh({"word grey", "pair cold sweat", "word unknown"}) == 1.5
    assert weights.explain({"word grey", "word fine", "pair cold sweat"}) == "grey, cold sweat"


@pytest.mark.parametrize(
    ("word", "stem"), [("sweating", "sweat"), ("baby's", "baby"), ("can't", "cant"), ("12", "#"), ("legs", "legs")]
)
def test_stems(word, stem):
    assert stem_word(word) == stem
