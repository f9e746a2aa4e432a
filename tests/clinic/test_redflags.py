"""Rules fire on what is said to be there, however it is worded, and on nothing else."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from prescreen.clinic.acuity import Acuity
from prescreen.clinic.case import Case, Turn, Vitals
from prescreen.clinic.redflags import TABLE, Rule, check_rules, load_rules, rule_acuity
from prescreen.clinic.words import Words
from prescreen.errors import RecipeError

RULES = load_rules().rules
WORDINGS = yaml.safe_load(Path(__file__).with_name("wordings.yaml").read_text(encoding="utf-8"))
TOPICS = """chest pain|dyspnoea
|stroke|sepsis|meningitis|anaphylaxis|bleeding|pregnancy|post-partum|paediatrics|self-harm
|overdose|carbon monoxide|abdominal pain|headache|back pain|trauma|head injury|burns|diabetes|eye|testicular torsion
|DVT and PE|seizure|syncope|airway|neutropenic sepsis|adrenal crisis|aortic dissection|limb ischaemia|urinary
|temperature|safeguarding|psychosis|abnormal vitals"""


def make_case(complaint: str = "", **fields: object) -> Case:
    return Case.model_validate(
        {"id": "c", "patient_id": "p", "source": "test", "licence": "none", "complaint": complaint, **fields}
    )


def fired(case: Case) -> set[str]:
    return {hit.rule.id for hit in check_rules(case)}


def ask(question: str, answer: str, complaint: str = "not feeling great") -> Case:
    turns = (Turn(speaker="assistant", text=question), Turn(speaker="patient", text=answer))
    return make_case(complaint, turns=turns)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_example_of_a_rule(rule: Rule) -> None:
    for case in Rule.cases(rule.positive):
        assert rule.id in fired(case), f"should fire: {case.complaint}"
    for case in Rule.cases(rule.negative):
        assert rule.id not in fired(case), f"should not fire: {case.complaint}"


def test_table_is_broad_and_sourced() -> None:
    assert len(RULES) >= 48
    wanted = {topic.strip() for topic in TOPICS.replace("\n", "").split("|")}
    assert wanted <= {rule.topic for rule in RULES}
    assert all(
        any(ch.isdigit() for ch in r.source) or r.source.startswith(("NICE", "UK", "Royal", "BSSH")) for r in RULES
    )
    assert [r.acuity for r in RULES] == sorted((r.acuity for r in RULES), reverse=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"surprise": 1}, "surprise"),
        ({"where": {"age_minimum": 3}}, "age_minimum"),
        ({"acuity": "low"}, "acuity"),
        ({"source": ""}, "source"),
        ({"positive": ["one"]}, "positive"),
        ({"all": [["<no_such_term>"]]}, "no_such_term"),
        ({"all": [["chest ("]]}, "regular expression"),
    ],
)
def test_broken_table_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    rule = {
        "id": "x",
        "name": "X",
        "topic": "t",
        "acuity": "high",
        "source": "NICE NG999",
        "all": [["chest pain"]],
    }
    rule |= {"positive": ["a", "b", "c"], "negative": ["d", "e"]} | change
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"terms": {"pregnant": ["pregnant"], "child": ["child"]}, "rules": [rule]}))
    with pytest.raises(RecipeError, match=message):
        load_rules(path)


def test_doubled_id_is_refused(tmp_path: Path) -> None:
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    table["rules"] = [table["rules"][0]] * 2
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(table))
    with pytest.raises(RecipeError, match="doubled"):
        load_rules(path)


# --- how people say it ------------------------------------------------------------------------------------------


def test_sensitivity_on_everyday_wording() -> None:
    levels = [rule_acuity(check_rules(make_case(words))) for words in WORDINGS["emergency"]]
    assert sum(level is not None for level in levels) / len(levels) >= 0.97
    assert sum(level is Acuity.EMERGENCY for level in levels) / len(levels) >= 0.92


def test_false_alarms_on_everyday_wording() -> None:
    alarms = [words for words in WORDINGS["low"] if check_rules(make_case(words))]
    assert len(alarms) / len(WORDINGS["low"]) <= 0.05, alarms


SAMPLE = "Complains of chest pain and shortness of breath."
PARAPHRASES = [
    "Complains of chest pain and SOB.",
    "Chest pain and short of breath",
    "My chest hurts and I can't breathe properly",
    "I have pain in my chest and I'm breathless",
    "chest pain, dyspnoea",
    "CP + SOB",
    "Pt c/o chest pain with dyspnea",
    "There's a tightness in my chest and I am struggling to breathe",
    "I feel pressure on my chest and I'm out of breath",
    "He says his chest hurts and he can't get his breath",
    "My wife has chest pains and trouble breathing",
    "It hurts in my chest and I get short of breath",
    "chest discomfort and breathlessness since this morning",
    "I'm short of breath and my chest aches",
    "crushing chest pain, shortness of breath",
    "heavy feeling in the chest, can't catch my breath",
    "Chest pain. Also shortness of breath.",
    "shortness of breath with pain across the chest",
    "chets pain and short of breth",
    "She's got pain in the chest and difficulty breathing",
]


@pytest.mark.parametrize("complaint", [SAMPLE, *PARAPHRASES])
def test_sample_and_its_paraphrases_are_emergencies(complaint: str) -> None:
    case = make_case(complaint, history_text="Patient has hypertension and type 2 diabetes, no known allergies.")
    assert rule_acuity(check_rules(case)) is Acuity.EMERGENCY


# --- negation, history, answers ---------------------------------------------------------------------------------

SYMPTOMS = [
    "chest pain", "shortness of breath", "slurred speech", "facial droop", "vomiting blood",
    "thoughts of suicide", "seizures", "coughing up blood", "black stools", "neck stiffness with fever",
    "one-sided weakness", "testicular pain", "palpitations with chest pain", "loss of consciousness",
    "sudden loss of vision", "tongue swelling", "severe headache", "heavy bleeding",
    "worst headache of my life",
]  # fmt: skip
DENIALS = [
    "No {}.", "Denies {}.", "I have no {}.", "without {}", "He has never had {}.", "I don't have any {}.",
    "There is no {} today.", "She hasn't had any {}.", "No fever, {} or rash.", "Negative for {}.",
    "{}: no", "neg for {}", "No {} or fever.", "I haven't noticed any {}.", "Not having any {}.",
    "Denies fever, cough, {}.", "no history of {}", "There hasn't been any {} at all.", "{} - denied",
    "no sign of {}", "I do not have {} right now.", "Nothing like {}.", "No fever, nothing like {}.",
]  # fmt: skip


def test_denied_symptoms_never_fire() -> None:
    wrong = [t.format(s) for t, s in product(DENIALS, SYMPTOMS) if check_rules(make_case(t.format(s)))]
    assert not wrong


@pytest.mark.parametrize(
    "complaint",
    [
        "No fever but I have chest pain.",
        "No fever, however my chest hurts.",
        "My chest pain is no better.",
        "The chest pain hasn't gone away.",
        "No relief from the chest pain.",
        "55M no PMH, chest pain radiating to jaw",
        "no known allergies, chest pain since 9am",
        "I don't know why I have chest pain.",
        "Never had chest pain like this before.",
        "I don't feel well and my chest is tight",
        "He isn't eating and has chest pain",
        "It's nothing, she's just tired. She has chest pain.",
        "nausea, no vomiting, chest pain for 2 hours",
        "I had a heart attack 3 years ago and now the same chest pain",
        "No, I have chest pain",
        "chest pain not relieved by GTN",
        "I have not slept because of the chest pain",
        "I've had nothing like this chest pain before",
        "Nothing like the chest pain of my last heart attack, this chest pain is worse",
        "It is nothing like my old headaches, I have chest pain",
        "Nothing like it, the chest pain came out of nowhere",
        "58M, chest pain, denies shortness of breath",
        "chest pain, denied sweating",
        "chest pain, negative for cough",
    ],
)
def test_words_that_only_look_like_denials(complaint: str) -> None:
    assert any(hit.rule.topic == "chest pain" for hit in check_rules(make_case(complaint)))


@pytest.mark.parametrize("other", ["denies itching", "denied any itching", "negative for itching", "no itching"])
def test_a_denial_of_something_else_takes_nothing_away(other: str) -> None:
    told = [words for words in WORDINGS["emergency"] if words[-1].isalnum()]
    levels = [rule_acuity(check_rules(make_case(words))) for words in told]
    after = [rule_acuity(check_rules(make_case(f"{words}, {other}"))) for words in told]
    assert [w for w, one, two in zip(told, levels, after, strict=True) if one and (two is None or two < one)] == []


@pytest.mark.parametrize(
    "complaint",
    [
        "I had chest pain ten years ago.",
        "Mum had a stroke at 70 and I want a check-up.",
        "My father had a heart attack, I feel fine.",
        "Used to have seizures as a child.",
        "family history of stroke",
        "When I was 12 I had a seizure",
        "She had slurred speech in 2015 with her stroke",
        "I'm worried about having a stroke because mum had one",
    ],
)
def test_history_and_family_do_not_fire(complaint: str) -> None:
    assert not check_rules(make_case(complaint))


@pytest.mark.parametrize(
    "complaint",
    [
        "My dad had a fit and I am frightened",
        "Mum passed out and I don't know what to do",
        "My brother had crushing chest pain and I've got him on the sofa",
        "I'm worried about my son he is floppy and won't wake",
        "Worried about my dad's chest pain",
        "scared of this crushing chest pain",
        "3/7 history of vomiting blood",
        "2 day hx of black tarry stools and fainting",
        "short history of slurred speech",
    ],
)
def test_a_worried_relative_and_a_short_history_are_about_now(complaint: str) -> None:
    assert check_rules(make_case(complaint))


@pytest.mark.parametrize("gap", ["isn't really in", "is never in", "was not in"])
def test_a_denial_between_the_words_of_a_pattern_counts(gap: str) -> None:
    assert not check_rules(make_case(f"The pain {gap} my chest"))


def test_symptoms_in_a_record_count_only_when_told_as_current() -> None:
    assert not check_rules(make_case("Here for a form.", history_text="Stroke with slurred speech. Seizures."))
    assert check_rules(make_case("Here for a form.", history_text="Presents with slurred speech since 9 am."))


@pytest.mark.parametrize(
    ("question", "answer", "present"),
    [
        ("Any chest pain?", "No", False),
        ("Any chest pain?", "yeah a bit", True),
        ("Do you have chest pain?", "yes", True),
        ("Do you have chest pain?", "No, not at all", False),
        ("Is he breathing?", "no", True),
        ("Can you breathe normally?", "No", True),
        ("Does the rash fade when you press a glass on it?", "No", True),
        ("Does the rash fade when you press a glass on it?", "Yes it does", False),
        ("Have you had any thoughts of ending your life?", "yes", True),
        ("Have you had any thoughts of ending your life?", "no never", False),
        ("Can you move your legs?", "no", True),
        ("When did the headache start?", "yes", False),
        ("Do you feel safe at home?", "No", True),
        ("Any chest pain?", "maybe, yeah", True),
        ("Where is the pain?", "in my chest", True),
        ("Where does it hurt?", "It's my left testicle.", True),
        ("Where is the pain?", "Just my toe, not my chest", False),
        ("Do you feel safe at home?", "Yes", False),
        (
            "Do you have any fever, chest pain or trouble breathing?",
            "Yes, I have a little fever and a runny nose",
            False,
        ),
    ],
)
def test_answers_are_read_with_their_question(question: str, answer: str, present: bool) -> None:
    hits = check_rules(ask(question, answer))
    assert bool(hits) is present
    assert all(hit.evidence == answer for hit in hits if hit.rule.all)


def test_a_question_alone_says_nothing() -> None:
    assert not check_rules(
        make_case("cough", turns=(Turn(speaker="assistant", text="Do you have crushing chest pain?"),))
    )


def test_a_minimising_relative_never_cancels() -> None:
    turns = (
        Turn(speaker="patient", text="I've got crushing chest pain."),
        Turn(
            speaker="relative",
            text="It's nothing, she's just tired. She always says that, no chest pain really.",
        ),
    )
    assert rule_acuity(check_rules(make_case("tired", turns=turns))) is Acuity.EMERGENCY


# --- structured fields ------------------------------------------------------------------------------------------


def test_record_and_words_work_together() -> None:
    fall = "I tripped and hit my head."
    assert "head-injury-anticoagulated" not in fired(make_case(fall))
    assert "head-injury-anticoagulated" in fired(make_case(fall, medications=("Warfarin 3 mg",)))
    assert "head-injury-anticoagulated" in fired(make_case(fall, history_text="On apixaban for AF."))


@given(st.text(max_size=60))
def test_missing_data_never_blocks_a_rule(name: str) -> None:
    case = make_case("crushing chest pain and sweating", patient_id=name)
    assert case.age_years is None and rule_acuity(check_rules(case)) is Acuity.EMERGENCY


def test_numbers_in_the_words_count_as_measured() -> None:
    assert {"spo2-low", "blood-pressure-low", "heart-rate-high"} <= fired(make_case("sats 86%, BP 80/50, HR 140"))
    assert not check_rules(make_case("HR 140, sats 97%, BP 80/50", vitals=Vitals(heart_rate=80, systolic=120)))
    assert "fever-under-3-months" in fired(make_case("my 6 week old has a fever"))


# --- properties -------------------------------------------------------------------------------------------------

PHRASES = st.sampled_from(
    [
        *SYMPTOMS,
        *(d.format(s) for d, s in zip(DENIALS, SYMPTOMS, strict=False)),
        "It hurts when I press on it",
        "I'm 32, my son is 5 years old",
        "my 6 week old has a fever",
        "sats 97, HR 80, BP 120/80",
        "I am not pregnant",
        "my baby is floppy",
    ]
)
WORDS_SAID = st.one_of(PHRASES, st.text(max_size=40), st.sampled_from(WORDINGS["emergency"] + WORDINGS["low"]))


@settings(max_examples=150, deadline=None)
@given(
    WORDS_SAID,
    st.lists(st.tuples(st.sampled_from(["patient", "relative", "nurse", "assistant"]), WORDS_SAID), max_size=3),
)
def test_more_words_never_lower(complaint: str, more: list[tuple[str, str]]) -> None:
    case = make_case(complaint)
    longer = case.model_copy(update={"turns": tuple(Turn(speaker=s, text=t) for s, t in more)})  # type: ignore[arg-type]
    assert fired(case) <= fired(longer)


TOLD = st.sampled_from([words for words in WORDINGS["emergency"] if words[-1].isalnum()])


@settings(max_examples=150, deadline=None)
@given(TOLD, TOLD)
def test_the_order_of_two_sentences_does_not_matter(one: str, other: str) -> None:
    first, second = make_case(f"{one}. {other}."), make_case(f"{other}. {one}.")
    assert rule_acuity(check_rules(first)) == rule_acuity(check_rules(second))


@settings(max_examples=150, deadline=None)
@given(
    TOLD,
    st.sampled_from(["No itching.", "Denies any rash on the feet.", "I don't have hay fever.", "Earache: no."]),
)
def test_a_denial_before_or_after_takes_no_level_away(told: str, denial: str) -> None:
    alone = rule_acuity(check_rules(make_case(told)))
    for text in (f"{denial} {told}", f"{told}. {denial}"):
        level = rule_acuity(check_rules(make_case(text)))
        assert alone is None or (level is not None and level >= alone)


def test_a_benign_word_far_away_holds_nothing_back() -> None:
    far = " ".join(["We have been here since the weekend with the whole family and the weather was lovely."] * 2)
    assert "chest-pain-adult" not in fired(make_case("My chest pain came from the gym."))
    assert "chest-pain-adult" in fired(make_case(f"I have chest pain. {far} My son was at the gym."))


@pytest.mark.parametrize(
    ("complaint", "rule"),
    [
        ("My baby is 6 weeks, 38.4 under the arm", "temperature-under-3-months"),
        ("thermometer says 41.2", "temperature-extreme"),
        ("her heart is going, pulse going 190", "heart-rate-high"),
        ("he is thirteen, HR 124, RR 27", "child-vitals-danger"),
    ],
)
def test_ages_and_numbers_as_people_say_them(complaint: str, rule: str) -> None:
    assert rule in fired(make_case(complaint))


@pytest.mark.parametrize("complaint", ["my BMI is 38.4", "she is one of four", "he weighs 38.5 kg"])
def test_other_numbers_are_no_temperature_and_no_age(complaint: str) -> None:
    assert not fired(make_case(complaint))


@settings(max_examples=150, deadline=None)
@given(WORDS_SAID, WORDS_SAID)
def test_evidence_is_verbatim(complaint: str, answer: str) -> None:
    case = make_case(complaint, turns=(Turn(speaker="patient", text=answer),))
    for hit in check_rules(case):
        if hit.rule.all or hit.rule.record:
            assert hit.evidence in case.text


def test_filing_patterns_by_words_loses_none() -> None:
    lexicon = load_rules().lexicon
    cases = [make_case(words) for words in WORDINGS["emergency"]] + [
        c for r in RULES for c in Rule.cases(r.positive)
    ]
    for case in cases:
        words = Words(case, lexicon)
        found = {n for n, pattern in enumerate(lexicon.compiled) if pattern.search(words._clean)}
        assert found <= words._summoned


def test_rules_come_from_the_table_given() -> None:
    table = load_rules()
    only = replace(table, matchers=table.matchers[:0])
    assert check_rules(make_case(SAMPLE), only) == []
