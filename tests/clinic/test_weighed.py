"""Words weighed together: a table anyone can refit, in which a denial speaks against nothing."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn
from prescreen.clinic.redflags import RuleTable, check_rules, load_rules
from prescreen.clinic.weighed import HARMLESS, LONGEST, Weighing, Weights, load_weights, stem_word
from prescreen.clinic.words import Words
from prescreen.data.voices import read_voices
from prescreen.data.weighing import fit_weights, read_examples, weigh_unseen

DARK = "all of a sudden grey and clammy, words slurred, cannot lift that arm"


def make_case(complaint, **more):
    return Case(id="t", patient_id="t", source="test", licence="test", complaint=complaint, **more)


def weigh(case):
    table = load_rules()
    return Weighing(case, Words(case, table.lexicon), table.terms)


@cache
def examples():
    return read_examples(read_voices())


def fires(case):
    return any(hit.rule.id == "words-together" for hit in check_rules(case))


def test_the_table_is_what_the_voices_give():
    """Fitted again it is the same, so that nobody can slip in a weight by hand."""
    stored, again = load_weights(), fit_weights(examples())
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
    assert hit.evidence == f"words {round(total, 1)} ({told})" and "grey" in told


def test_sums_and_their_explanation():
    weights = Weights(-1.0, {"word grey": 2.0, "word fine": -3.0, "pair cold sweat": 0.5})
    assert weights.weigh({"word grey", "pair cold sweat", "word unknown"}) == 1.5
    assert weights.explain({"word grey", "word fine", "pair cold sweat"}) == "grey, cold sweat"


@pytest.mark.parametrize(
    ("word", "stem"), [("sweating", "sweat"), ("baby's", "baby"), ("can't", "cant"), ("12", "#"), ("legs", "legs")]
)
def test_stems(word, stem):
    assert stem_word(word) == stem


# --- loose rules ------------------------------------------------------------------------------------------------

CHATTY = "Could I book my travel vaccines please, no hurry at all, I feel well, next month is fine"
NAMED = f"{CHATTY}, and my sister asked about meningitis"


def fired(complaint, table=None, **more):
    return {hit.rule.id for hit in check_rules(make_case(complaint, **more), table)}


def tighten(table: RuleTable) -> RuleTable:
    """The same table with no loose rule in it."""
    firm = (replace(m, rule=m.rule.model_copy(update={"loose": False})) for m in table.matchers)
    return replace(table, matchers=tuple(firm))


def test_a_name_among_harmless_words_fires_nothing_and_alone_it_does():
    assert weigh(make_case(NAMED)).heaviest()[0] <= HARMLESS
    assert "meningitis" in fired(NAMED, tighten(load_rules())) and "meningitis" not in fired(NAMED)
    assert "meningitis" in fired("I think it is meningitis")


def test_harmless_words_in_another_turn_hold_nothing_back():
    assert "meningitis" in fired("I think it is meningitis", turns=(Turn(speaker="patient", text=CHATTY),))


def test_an_utterance_longer_than_any_voice_is_never_harmless():
    told = [text for case in read_voices() for text in (case.complaint, *(turn.text for turn in case.turns))]
    assert max(len(text.split()) for text in told) <= LONGEST
    longer = f"{NAMED}. " + "and then we had tea. " * 25
    assert len(longer.split()) > LONGEST and "meningitis" in fired(longer)


def test_a_word_of_the_record_said_in_another_turn_makes_nothing_harmless():
    """Said, it is no longer weighed as the record's; what was not harmless before must not become so."""
    table, weights = load_rules(), Weights(HARMLESS - 1, {"record anticoagulant": 2.0})
    case = make_case("repeat of my cream please", medications=("warfarin",))
    longer = case.model_copy(update={"turns": (Turn(speaker="patient", text="I am on warfarin"),)})
    for told in (case, longer):
        assert not Weighing(told, Words(told, table.lexicon), table.terms, weights).is_harmless(0)
    without = make_case("repeat of my cream please")
    assert Weighing(without, Words(without, table.lexicon), table.terms, weights).is_harmless(0)


def test_no_rule_of_measurements_or_of_self_harm_is_loose():
    loose = [rule for rule in load_rules().rules if rule.loose]
    assert 10 <= len(loose) < len(load_rules().rules) / 4
    assert all(rule.all and not rule.where.model_fields_set - {"age_min", "age_max"} for rule in loose)
    never = {"self-harm", "overdose", "safeguarding", "pregnancy", "paediatrics", "abnormal vitals", "psychosis"}
    assert not never & {rule.topic for rule in loose}


def test_a_loose_rule_keeps_the_emergencies_it_finds():
    """By tables that never saw the case's condition: of 250 emergencies rules find fewer than one falls silent."""
    firm, lost, found = tighten(load_rules()), 0, 0
    for case, total in zip(read_voices(), weigh_unseen(examples()), strict=True):
        if case.label.acuity is not Acuity.EMERGENCY:
            continue
        hits = [hit.rule for hit in check_rules(case, firm) if hit.rule.acuity is Acuity.EMERGENCY]
        rules = [rule for rule in hits if rule.where.words_min is None]
        found += bool(rules)
        lost += bool(rules) and total <= HARMLESS and all(rule.loose for rule in rules)
    assert found > 2000 and lost < found / 250, (lost, found)
