"""The model's own questions: when one may be asked, and which are refused. Knows words, no engine.

A refused or late question costs nothing: the script simply goes on. Word lists here err towards refusing.
"""

import re

from prescreen.intake.plan import MORE, REVIEW, answered_questions, current_step, room_for_more
from prescreen.intake.record import ASK, english_question
from prescreen.intake.state import Interview
from prescreen.intake.tongue import could_be

LONGEST, SHORTEST = 200, 8  # characters
REFUSALS = 2  # after so many the model is not asked again
ALIKE = 0.6  # shared words of two questions from which on they are the same
_WORD = re.compile(r"\w+")
_FILLER = frozenset(
    _WORD.findall(
        "a an the of in on at to with and or is are was were has have had do does did you your any it this that"
        " there been be can could would will for from please tell me also now feel feeling"
    )
)
_LINK = re.compile(r"https?:|www\.|\w@\w|\b\w+\.(?:com|org|net|info|io|gov|de|es|uk)\b", re.I)
_MARKUP = re.compile(r"[<>{}|`\[\]\\*#]|\$\(")
_LEVEL = re.compile(
    r"\b(?:triage|acuity|priorit\w*|urgen\w*|emergenc\w*|life.threatening|serious condition|level [1-5]"
    r"|dringend|notfall|prioridad|emergencia)\b|طوارئ|عاجل",
    re.I,
)
_AMOUNT = re.compile(
    r"\b\d+(?:[.,]\d+)?\s?(?:mg|mcg|µg|g|ml|units?|iu|tablets?|pills?|capsules?|puffs?|drops?|tabletten|pastillas)\b"
    r"|\b(?:take|taking|swallow|inject|use) (?:an? |one |two |three |half |\d+ )(?:\w+ )?"
    r"(?:aspirin|paracetamol|ibuprofen|tablet|pill|dose|capsule|puff)\w*",
    re.I,
)
_IDENTIFIER = re.compile(
    r"\b(?:(?:full|last|first|sur|family|maiden|your|his|her|patient'?s?) ?names?"
    r"|what (?:are you|is (?:he|she)) called|(?:phone|telephone|mobile|cell)(?: number)?|e-?mail"
    r"|(?:home |street |your |where is your )address|post ?code"
    r"|zip ?code|date of birth|birth ?date|born|birthday|(?:social security|insurance|passport|id|identity|record"
    r"|medical record|nhs|account|card|license|licence) (?:number|no|card)|ssn|mrn|where do you live|employer"
    r"|pass ?words?|passcode|pin|(?:bank|credit|debit) \w+|cards?|iban|contraseñas?|clave|tarjeta|cuenta bancaria"
    r"|passwort|kennwort|\w*karte|konto\w*|bankverbindung|nombre|apellido|direccion|dirección|teléfono|telefono|geburtsdatum|adresse|telefonnummer|ausweis)\b"
    r"|اسمك|عنوان|هاتف|رقم|كلمة (?:ال)?(?:سر|مرور)|بطاقة|حساب(?:ك|كم)",
    re.I,
)
_CONDITION = re.compile(
    r"\b(?:heart (?:attack|failure)|strokes?|tia|angina|infarct\w*|sepsis|septic|mening\w*|appendic\w*|pneumon\w*"
    r"|cancers?|tumou?rs?|lymphoma|leuk\w*|embol\w*|thrombo\w*|blood clots?|clots?|aneurysm|dissection|ectopic"
    r"|miscarriage|pre-?eclampsia|diabet\w*|ketoacidosis|asthma|copd|covid\w*|flu|influenza|epilep\w*|migraine"
    r"|concussion|fractur\w*|broken \w+|infection|virus|ulcers?|hernia|gallstones?|kidney stones?|hepat\w*|gout"
    r"|arthritis|depress\w*|anxiety|panic attacks?|schizo\w*|bipolar|dement\w*|anaphyla\w*|reflux|cauda equina"
    r"|torsion|glaucoma|shingles|measles|\w{3,}itis|\w{3,}(?:osis|[ae]emia|carcinoma|sarcoma))\b",
    re.I,
)
_HISTORY = re.compile(
    r"\b(?:ever (?:had|been)|been (?:told|diagnosed)|history of|in (?:your|his|her|the) family|family history"
    r"|known|in the past|before|diagnosed with|family (?:have|had)|were you|been treated)\b",
    re.I,
)
_HINT = re.compile(
    r"\b(?:diagnos(?!ed)\w*|(?:could|might|may|must) (?:this|it|that|you|he|she)\b(?! (?:tell|say|describe|move"
    r"|walk|speak|eat|drink|swallow|bend|stand|breathe|sleep|see|hear|feel|still|be pregnant))|sounds? like"
    r"|looks? like|i (?:think|believe|suspect)|most likely|probably|you (?:have|may have|might have|could have)"
    r" (?:an? )?\w+itis|suggests?|consistent with)\b",
    re.I,
)


def wants_model(state: Interview) -> bool:
    """Whether a question of the model would be asked now: all of the script is answered and room is left."""
    return (
        not state.ended
        and not state.urgent
        and state.at is None
        and state.language in state.settings.follow_up_languages
        and current_step(state) == REVIEW
        and state.refused < REFUSALS
        and room_for_more(state) > 0
    )


def why_refused(state: Interview, text: str) -> str:
    """One word for why a question may not be asked; empty when it may. Never quotes the question."""
    if not SHORTEST <= len(text) <= LONGEST:
        return "length"
    if "\n" in text or _MARKUP.search(text) or any(ord(c) < 32 for c in text):
        return "form"
    if not text.endswith(("?", "؟")) or len(re.findall(r"[?؟]|[.!:;](?=\s|$)", text)) != 1:
        return "no single question"
    found = next((name for name, pattern in _REFUSED.items() if pattern.search(text)), "")
    if found or (_CONDITION.search(text) and not _HISTORY.search(text)):
        return found or "diagnosis"
    if not could_be(text, state.language):
        return "language"
    return "repeat" if any(is_alike(text, asked) for asked in asked_before(state)) else ""


_REFUSED = {
    "link": _LINK, "identifier": _IDENTIFIER, "dose": _AMOUNT, "level": _LEVEL, "diagnosis": _HINT,
}  # fmt: skip


def asked_before(state: Interview) -> list[str]:
    """Every question that was put in words, the model's too."""
    return [*ASK.values(), *state.offered, *(english_question(state, id) for id in _script_questions(state))]


def is_alike(one: str, other: str) -> bool:
    """Whether two questions are the same but for small words."""
    a, b = _content(one), _content(other)
    if not a or not b:
        return one.strip().casefold() == other.strip().casefold()
    return len(a & b) >= ALIKE * len(a | b)


def _script_questions(state: Interview) -> list[str]:
    return [id for id in answered_questions(state) if not id.startswith(MORE)]


def _content(text: str) -> set[str]:
    words = (w.rstrip("s") if len(w) > 3 else w for w in _WORD.findall(text.casefold().replace("'", "")))
    return {word for word in words if word not in _FILLER}
