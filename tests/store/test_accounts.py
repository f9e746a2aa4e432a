"""Accounts, passwords, codes, throttle, sessions and the broken glass, as acts of the store."""

import datetime
import threading
from pathlib import Path

import pyotp
import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from prescreen.clinic.signed import Person
from prescreen.ehr.bundle import write_bundle
from prescreen.errors import ConflictError, RefusedError
from prescreen.store.accounts import (
    add_first_admin,
    add_user,
    change_user,
    check_own,
    disable_user,
    enable_user,
    find_user,
    read_totp,
    reset_user,
    tidy_reference,
)
from prescreen.store.base import Store, Who
from prescreen.store.claimed import Claimed, meet_claimed
from prescreen.store.glass import break_glass, find_grant, find_unseen, look_at
from prescreen.store.once import sweep_once, use_once
from prescreen.store.passwords import check_new, find_step, hash_password, verify
from prescreen.store.people import Attempt, AuditLine, Session, User
from prescreen.store.sessions import PATIENT, STAFF, begin, end_all, find_session, rotate, sweep_sessions
from prescreen.store.sign_in import Try, add_device, enrol_totp, find_device, prove, sign_in
from prescreen.store.throttle import (
    ADDRESS,
    CODE,
    DEVICE,
    LOGIN,
    enter,
    forgive,
    network_of,
    read_wait,
    sweep_attempts,
)
from small_visits import visit
from store.desk import NOON, NURSE, SERVICE, StoppedClock, make_store, make_waiting

CONSOLE = Who("console", "admin")
GOOD = "rain over the harbour"
HASH: list[str] = []  # made once: it is slow on purpose
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def clock_of(store: Store) -> StoppedClock:
    assert isinstance(store.clock, StoppedClock)
    return store.clock


def give(store: Store, login: str = "nina", role: str = "nurse", secret: str = "") -> User:
    """A person who has chosen GOOD, and an app where `secret` is given."""
    if not HASH:
        HASH.append(hash_password(GOOD))
    with store.act(CONSOLE) as act:
        user = add_user(act, login, name="Ana Lima", role=role, teams=["clinic"]).user
        user.password, user.must_change = HASH[0], False
        if secret:
            user.totp = act.keys.seal_own(f"users|totp|{user.id}", secret)
        return user


def actions(store: Store) -> list[tuple[str, str, str]]:
    with store.look(CONSOLE) as look:
        return [(line.action, line.outcome, line.detail) for line in look.session.scalars(select(AuditLine))]


# --- accounts


def test_a_new_store_gets_its_first_admin_once(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with store.act(CONSOLE) as act:
        assert add_first_admin(act) is None, "there are people already"
        for user in act.session.scalars(select(User)):
            act.session.delete(user)
        act.session.flush()
        made = add_first_admin(act)
    assert made is not None and made.user.must_change
    answer = sign_in(store, Try("admin", made.password), STAFF)
    assert answer.begun is not None and answer.user is not None and answer.user.role == "admin"


def test_a_password_somebody_else_drew_lasts_three_days(store: Store) -> None:
    with store.act(CONSOLE) as act:
        made = add_user(act, "nina", name="Ana Lima", role="nurse")
    clock_of(store).pass_by(hours=71, minutes=59)
    assert sign_in(store, Try("nina", made.password), STAFF).begun is not None
    clock_of(store).pass_by(minutes=1)
    assert sign_in(store, Try("nina", made.password), STAFF).begun is None


def test_only_an_admin_helps_back_in_and_all_else_is_void(store: Store) -> None:
    user = give(store, secret=SECRET)
    before = sign_in(store, Try("nina", GOOD, pyotp.TOTP(SECRET).at(NOON)), STAFF).begun
    with store.act(CONSOLE) as act:
        made = reset_user(act, user.id)
    assert before is not None and find_session(store, before.token, STAFF, PATIENT) is None
    assert sign_in(store, Try("nina", GOOD), STAFF).begun is None
    answer = sign_in(store, Try("nina", made.password), STAFF)
    assert answer.user is not None and answer.user.must_change and answer.user.totp is None
    with store.act(Who(user.id, "admin")) as act, pytest.raises(RefusedError, match="another admin"):
        reset_user(act, user.id)


def test_the_last_admin_stays(store: Store) -> None:
    one, two = give(store, "one", "admin"), give(store, "two", "admin")
    with store.act(CONSOLE) as act:
        disable_user(act, one.id)
    for change in (lambda act: disable_user(act, two.id), lambda act: change_user(act, two.id, role="nurse")):
        with store.act(CONSOLE) as act, pytest.raises(RefusedError, match="last admin"):
            change(act)
    with store.act(CONSOLE) as act:
        enable_user(act, one.id)
        change_user(act, two.id, role="auditor")
    with store.act(Who(one.id, "admin")) as act, pytest.raises(RefusedError, match="themselves"):
        change_user(act, one.id, role="nurse")


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("Practitioner/7", "Practitioner/7"),
        ("https://record.example/fhir/Practitioner/7", "Practitioner/7"),
        ("https://record.example/fhir/PractitionerRole/a-1", "PractitionerRole/a-1"),
        ("https://record.example/fhir/Patient/7", None),
        ("Dr. Ek", None),
    ],
)
def test_who_staff_are_in_the_record_is_kept_as_reports_name_it(store: Store, told: str, kept: str | None) -> None:
    assert tidy_reference(told) == kept
    if kept is None:
        with pytest.raises(RefusedError, match="Practitioner/7"), store.act(CONSOLE) as act:
            add_user(act, "ek", name="Nils Ek", role="physician", reference=told)
        return
    with store.act(CONSOLE) as act:
        user = add_user(act, "ek", name="Nils Ek", role="physician", reference=told).user
    signer = Person(id=user.id, name=user.name, role="physician", reference=user.reference)
    assert write_bundle(visit(signer=signer))["type"] == "transaction"


def test_another_role_ends_the_sessions(store: Store) -> None:
    user = give(store)
    begun = sign_in(store, Try("nina", GOOD), STAFF).begun
    with store.act(CONSOLE) as act:
        change_user(act, user.id, role="physician")
    assert begun is not None and find_session(store, begun.token, STAFF, PATIENT) is None


@pytest.mark.parametrize(
    ("login", "name", "role", "teams"),
    [
        ("", "A", "nurse", []),
        ("a b", "A", "nurse", []),
        ("oidc:1234", "A", "nurse", []),
        ("x' OR 1=1 --", "A", "nurse", []),
        ("nina\r\nX", "A", "nurse", []),
        ("nina", "", "nurse", []),
        ("nina", "A\x00", "nurse", []),
        ("nina", "A" * 161, "nurse", []),
        ("nina", "A", "patient", []),
        ("nina", "A", "nurse", ["a,b"]),
        ("nina", "A", "nurse", ["t" * 65]),
    ],
)
def test_what_an_account_cannot_be(store: Store, login: str, name: str, role: str, teams: list[str]) -> None:
    with store.act(CONSOLE) as act, pytest.raises(RefusedError):
        add_user(act, login, name=name, role=role, teams=teams)


def test_two_accounts_do_not_share_a_login(store: Store) -> None:
    give(store)
    with store.act(CONSOLE) as act, pytest.raises(ConflictError, match="already"):
        add_user(act, " NINA ", name="Another", role="nurse")


# --- passwords


@pytest.mark.parametrize(
    "password",
    [GOOD, "Regenbogen über dem Fluss", "四つの言葉を並べるだけでよい", "x7#kPq2!vLm9", "clinic garden lantern"],
)
def test_good_passwords(password: str) -> None:
    check_new(password, "nina", "Ana Lima")
    kept = hash_password(password)
    assert kept.startswith("$argon2id$") and password not in kept
    assert verify(kept, password, NOON) and not verify(kept, password + " ", NOON)


@pytest.mark.parametrize(
    ("password", "mend"),
    [
        ("short phrase", None),
        ("elevenchars", "at least 12"),
        ("Password1234", "first that are guessed"),
        ("passwordpassword", "first that are guessed"),
        ("qwertyuiop123", "first that are guessed"),
        ("aaaaaaaaaaaaaa", "more different"),
        ("my-nina-is-in-it", "neither your login nor your name"),
        ("the Limamora way", "neither your login nor your name"),
        ("x" * 257, "at most 256"),
    ],
)
def test_passwords_that_are_refused_say_why(password: str, mend: str | None) -> None:
    if mend is None:
        check_new(password, "nina", "Ana Limamora")
    else:
        with pytest.raises(RefusedError, match=mend):
            check_new(password, "nina", "Ana Limamora")


def test_the_same_letters_from_another_keyboard_are_the_same_password() -> None:
    assert verify(hash_password("Schöner Garten hier"), "Scho\u0308ner Garten hier", NOON)
    assert not verify(hash_password("Schöner Garten hier"), "\ud800" * 12, NOON)


def test_a_weaker_hash_is_renewed_at_the_next_sign_in(store: Store) -> None:
    user = give(store)
    with store.act(CONSOLE) as act:
        act.session.get_one(User, user.id).password = PasswordHasher(1, 8192, 1).hash(GOOD)
    assert sign_in(store, Try("nina", GOOD), STAFF).begun is not None
    with store.look(CONSOLE) as look:
        kept = look.session.get_one(User, user.id).password
    assert kept is not None and "m=65536,t=3,p=4" in kept and verify(kept, GOOD, NOON)


# --- codes


def test_a_code_works_once_and_for_a_step_around(store: Store) -> None:
    totp = pyotp.TOTP(SECRET)
    give(store, secret=SECRET)
    code = totp.at(NOON)
    assert sign_in(store, Try("nina", GOOD), STAFF).begun is None, "the second factor is not optional"
    assert sign_in(store, Try("nina", GOOD, code), STAFF).begun is not None
    assert sign_in(store, Try("nina", GOOD, code), STAFF).begun is None, "replayed"
    assert sign_in(store, Try("nina", GOOD, totp.at(NOON, counter_offset=-1)), STAFF).begun is None, (
        "older than used"
    )
    assert sign_in(store, Try("nina", GOOD, totp.at(NOON, counter_offset=1)), STAFF).begun is not None
    clock_of(store).pass_by(minutes=5)
    assert sign_in(store, Try("nina", GOOD, totp.at(clock_of(store).now, counter_offset=2)), STAFF).begun is None
    assert (
        sign_in(store, Try("nina", GOOD, totp.at(clock_of(store).now, counter_offset=-1)), STAFF).begun is not None
    )


def test_a_wrong_password_does_not_use_a_code_up(store: Store) -> None:
    give(store, secret=SECRET)
    code = pyotp.TOTP(SECRET).at(NOON)
    assert sign_in(store, Try("nina", "wrong", code), STAFF).begun is None
    assert sign_in(store, Try("nina", GOOD, code), STAFF).begun is not None


@given(st.text(max_size=12))
def test_no_text_is_a_code_but_six_digits(text: str) -> None:
    right = pyotp.TOTP(SECRET).at(NOON)
    assert find_step(SECRET, text, NOON, 0) is None or text.replace(" ", "") == right


def test_the_secret_is_sealed_and_bound_to_its_person(store: Store) -> None:
    one, two = give(store, "one"), give(store, "two")
    begun = sign_in(store, Try("one", GOOD), STAFF).begun
    assert begun is not None
    assert not enrol_totp(store, one, begun.session.id, SECRET, "000000")
    assert enrol_totp(store, one, begun.session.id, SECRET, pyotp.TOTP(SECRET).at(NOON))
    with store.act(CONSOLE) as act:
        kept = act.session.get_one(User, one.id)
        assert kept.totp is not None and SECRET.encode() not in kept.totp
        assert read_totp(act, kept) == SECRET
        other = act.session.get_one(User, two.id)
        other.totp = kept.totp
        with pytest.raises(ValueError, match="sealed with another key"):
            read_totp(act, other)
        act.session.rollback()


# --- the throttle


def test_a_thousand_guesses_let_nobody_in(store: Store) -> None:
    give(store)
    looked = slowed = 0
    for number in range(1000):
        answer = sign_in(store, Try("nina", f"guess number {number}", address="203.0.113.9"), STAFF)
        assert answer.begun is None
        looked += not answer.wait
        slowed += bool(answer.wait)
    assert (looked, slowed) == (5, 995)
    lines = [detail for action, _, detail in actions(store) if action == "sign-in"]
    assert len(lines) == 5 and '"wait":1' in lines[-1], "who is held up fills no log"


def test_an_hour_of_guessing_is_few_guesses_and_then_the_owner_gets_in(store: Store) -> None:
    give(store)
    looked = 0
    for _ in range(3600):
        with store.act(CONSOLE) as act:
            looked += enter(act, (LOGIN, "nina")) is None
        clock_of(store).pass_by(seconds=1)
    assert looked == 5 + 10 + 2  # free, then after 1, 2, 4 ... 512 s, then every 15 minutes
    marks = add_device(store.keys, "nina", "")
    device = find_device(store.keys, "nina", marks)
    known = sign_in(store, Try("nina", GOOD, address="198.51.100.7", device=device), STAFF)
    assert known.begun is not None, "a browser that signed nina in before waits for nobody else's guesses"
    assert (
        find_device(store.keys, "otto", marks) == "" and find_device(store.keys, "nina", "x.y|" + marks) == device
    )


def test_an_hour_of_spraying_from_one_address(store: Store) -> None:
    looked = 0
    for second in range(0, 3600, 5):
        with store.look(CONSOLE) as look:
            held = read_wait(look, (ADDRESS, "203.0.113.9"))
        if held is None:
            with store.act(CONSOLE) as act:
                looked += enter(act, (ADDRESS, "203.0.113.9"), (LOGIN, f"login{second}")) is None
        clock_of(store).pass_by(seconds=5)
    assert 70 < looked < 90
    with store.act(CONSOLE) as act:
        assert enter(act, (ADDRESS, "203.0.113.9"), (LOGIN, "another")) is not None
        assert len(list(act.session.scalars(select(Attempt)))) == looked + 1, "a try held up leaves no row"
    clock_of(store).pass_by(days=3)
    with store.act(CONSOLE) as act:
        assert sweep_attempts(act) == looked + 1


@given(st.lists(st.integers(-500, 1500) | st.integers(-(10**8), 10**8), min_size=1, max_size=40))
def test_nobody_waits_longer_than_the_longest(gaps: list[int]) -> None:
    """Whatever came before, even a clock that went back a year, the next try is at most `longest` away, and
    then it is let in."""
    from prescreen.store.throttle import SLACK, _left

    row, now = Attempt(look="x", since=NOON, count=0), NOON
    for gap in gaps:
        row.count, row.since = row.count + 1, now
        now += datetime.timedelta(seconds=gap)
        for limit in (LOGIN, DEVICE, ADDRESS, CODE):
            wait, over = _left(limit, row, now), _left(limit, row, now + limit.longest + SLACK)
            assert wait <= limit.longest and min(wait, over) <= datetime.timedelta()


def test_the_right_password_forgets_the_wrong_ones(store: Store) -> None:
    give(store)
    for _ in range(2):
        for _ in range(4):
            assert not sign_in(store, Try("nina", "wrong"), STAFF).begun
        assert sign_in(store, Try("nina", GOOD), STAFF).begun
    with store.act(CONSOLE) as act:
        forgive(act, LOGIN, "never tried")


def test_many_at_the_same_moment_are_counted_each(store: Store) -> None:
    from prescreen.store.sign_in import _knock

    through: list[bool] = []
    together = threading.Barrier(24)

    def knock() -> None:
        together.wait(timeout=30)
        through.append(_knock(store, CONSOLE, ((LOGIN, "nina"), (ADDRESS, "203.0.113.9"))) is None)

    threads = [threading.Thread(target=knock) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(through), sum(through)) == (24, 5)


def test_addresses_of_one_caller() -> None:
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert network_of("::ffff:203.0.113.9") == "203.0.113.9" == network_of("203.0.113.9")
    assert network_of("not an address\r\n") == "not an address\r\n"


def test_the_unknown_the_wrong_and_the_disabled_cost_the_same_work(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.act(CONSOLE) as act:
        gone = add_user(act, "gone", name="B", role="nurse").user
        gone.password, gone.disabled = hash_password(GOOD), True
    give(store)
    checked: list[str] = []
    real = PasswordHasher.verify

    def counted(self: PasswordHasher, kept: str, password: str) -> bool:
        checked.append(kept.rsplit("$", 2)[0])
        return real(self, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    tries = [("nobody", GOOD), ("nina", "wrong"), ("gone", GOOD), ("x' OR '1'='1", GOOD), ("nurse-1", GOOD)]
    answers = [sign_in(store, Try(login, password), STAFF) for login, password in tries]
    assert {(answer.begun, answer.user, answer.wait) for answer in answers} == {(None, None, datetime.timedelta())}
    assert len(checked) == len(tries) and len({kept for kept in checked}) == 1, "one check each, of the same cost"
    told = [detail for action, outcome, detail in actions(store) if (action, outcome) == ("sign-in", "refused")]
    assert [text.split('"why":"')[1].split('"')[0] for text in told] == [
        "unknown", "password", "disabled", "unknown", "password",
    ]  # fmt: skip
    assert not any(login in text for text in told for login, _ in tries), "what is typed at the door is not kept"


@pytest.mark.parametrize(
    "text",
    ["' OR 1=1 --", '"; DROP TABLE users; --', "*)(uid=*))(|(uid=*", "nina\r\nSet-Cookie: a=b", "\x00", "\ud800",
     "%0d%0a", "{{7*7}}", "${jndi:ldap://x}", "a" * 100_000, "nina%", "n_na", "../../etc/passwd"],
)  # fmt: skip
def test_strange_logins_are_unknown_logins(store: Store, text: str) -> None:
    give(store)
    for told in (Try(text, GOOD), Try("nina", text), Try("nina", text, text, text, text, text)):
        answer = sign_in(store, told, STAFF)
        assert answer.begun is None
    with store.look(CONSOLE) as look:
        assert find_user(look, "nina") is not None


# --- sessions


def test_a_step_up_changes_the_token_and_proves_anew(store: Store) -> None:
    user = give(store)
    begun = sign_in(store, Try("nina", GOOD), STAFF).begun
    assert begun is not None
    clock_of(store).pass_by(minutes=10)
    assert prove(store, user, begun.session.id, "wrong", "").begun is None
    answer = prove(store, user, begun.session.id, GOOD, "").begun
    assert answer is not None and answer.token != begun.token and answer.session.csrf != begun.session.csrf
    assert answer.session.proved == clock_of(store).now
    assert (answer.session.begun, answer.session.ends) == (begun.session.begun, begun.session.ends)
    assert find_session(store, begun.token, STAFF, PATIENT) is None
    with store.act(CONSOLE) as act:
        assert rotate(act, begun.session.id) is None, "an ended session begets none"
    assert find_session(store, answer.token, STAFF, PATIENT) is not None


def test_a_stolen_session_guesses_no_password(store: Store) -> None:
    user = give(store)
    begun = sign_in(store, Try("nina", GOOD), STAFF).begun
    assert begun is not None
    answers = [prove(store, user, begun.session.id, f"guess {number}", "") for number in range(20)]
    assert sum(1 for answer in answers if not answer.wait) == 5


def test_what_ran_out_unseen_is_swept_with_a_line(store: Store) -> None:
    user, visit = give(store), make_waiting(store)
    with store.act(CONSOLE) as act:
        begin(act, STAFF, user=act.session.get_one(User, user.id))
        begin(act, PATIENT, visit_id=visit.id)
    clock_of(store).pass_by(minutes=20)
    with store.act(SERVICE) as act:
        assert sweep_sessions(act, STAFF, PATIENT) == 1
    clock_of(store).pass_by(hours=1)
    with store.act(SERVICE) as act:
        assert sweep_sessions(act, STAFF, PATIENT) == 1
    assert sum(action == "session.time-out" for action, _, _ in actions(store)) == 2
    clock_of(store).pass_by(days=31)
    with store.act(SERVICE) as act:
        sweep_sessions(act, STAFF, PATIENT)
        assert list(act.session.scalars(select(Session))) == []


def test_all_sessions_of_a_person_end_but_one(store: Store) -> None:
    user = give(store)
    begun = [sign_in(store, Try("nina", GOOD), STAFF).begun for _ in range(3)]
    with store.act(CONSOLE) as act:
        assert end_all(act, user.id, but=begun[0].session.id) == 2  # type: ignore[union-attr]
    alive = [find_session(store, one.token, STAFF, PATIENT) is not None for one in begun if one]
    assert alive == [True, False, False]


def test_no_token_but_the_whole_one_opens(store: Store) -> None:
    give(store)
    begun = sign_in(store, Try("nina", GOOD), STAFF).begun
    assert begun is not None
    for wrong in ("", begun.session.id, begun.token[:-1], begun.token + "a", begun.token.swapcase(), "\ud800"):
        assert find_session(store, wrong, STAFF, PATIENT) is None
    assert find_session(store, begun.token, STAFF, PATIENT) is not None


# --- people of an identity provider


def claim(role: str | None = "nurse", subject: str = "7", teams: tuple[str, ...] = ("clinic",)) -> Claimed:
    return Claimed("https://idp.example", subject, "Ana Lima", role, teams)


def test_a_person_is_met_again_by_issuer_and_subject(store: Store) -> None:
    with store.act(CONSOLE) as act:
        one, again, other = (meet_claimed(act, claim(subject=subject)) for subject in ("7", "7", "8"))
        elsewhere = meet_claimed(act, claim()._replace(issuer="https://other.example"))
    assert one.id == again.id and len({one.id, other.id, elsewhere.id}) == 3
    assert not one.disabled and one.password is None
    assert sign_in(store, Try(one.login, ""), STAFF).begun is None


def test_without_a_role_of_ours_an_account_is_disabled_until_an_admin_says_so(store: Store) -> None:
    with store.act(CONSOLE) as act:
        user = meet_claimed(act, claim(None))
        assert user.disabled
    with store.act(CONSOLE) as act:
        assert meet_claimed(act, claim("nurse")).disabled, "a claim that comes later opens nothing by itself"
        enable_user(act, user.id)
        assert not meet_claimed(act, claim("nurse")).disabled
    with store.act(CONSOLE) as act:
        begun = begin(act, STAFF, user=act.session.get_one(User, user.id))
    with store.act(CONSOLE) as act:
        assert meet_claimed(act, claim(None)).disabled
    assert find_session(store, begun.token, STAFF, PATIENT) is None


def test_the_provider_changes_role_and_teams(store: Store) -> None:
    with store.act(CONSOLE) as act:
        user = meet_claimed(act, claim("nurse"))
        begun = begin(act, STAFF, user=user)
        user = meet_claimed(act, claim("auditor", teams=()))
        assert (user.role, user.teams) == ("auditor", [])
    assert find_session(store, begun.token, STAFF, PATIENT) is None


def test_once_is_once(store: Store) -> None:
    ends = NOON + datetime.timedelta(minutes=5)
    with store.act(CONSOLE) as act:
        assert use_once(act, "state", "abc", ends)
        assert not use_once(act, "state", "abc", ends)
        assert use_once(act, "jti", "abc", ends)
        assert sweep_once(act) == 0
    clock_of(store).pass_by(minutes=6)
    with store.act(CONSOLE) as act:
        assert sweep_once(act) == 2


# --- the broken glass


def test_the_glass_wants_a_reason_a_signer_and_a_fresh_proof(store: Store) -> None:
    visit = make_waiting(store)
    why, now = "covers for a colleague who fell ill", NOON
    auditor = give(store, "uma", "auditor")
    for who, reason, proved, mend in (
        (NURSE, "   urgent  ", now, "10 to 500"),
        (NURSE, "x" * 501, now, "10 to 500"),
        (NURSE, why, None, "once more who you are"),
        (NURSE, why, now - datetime.timedelta(minutes=5, seconds=1), "once more who you are"),
        (Who(auditor.id, "auditor"), why, now, "only a nurse or a physician"),
        (Who("nobody", "nurse"), why, now, "only a nurse or a physician"),
    ):
        with store.act(who) as act, pytest.raises(RefusedError, match=mend):
            break_glass(act, visit.id, reason, proved)
    with store.act(NURSE) as act, pytest.raises(ConflictError):
        break_glass(act, "0" * 32, why, now)
    with store.act(NURSE) as act:
        grant = break_glass(act, visit.id, why, now)
        assert why.encode() not in grant.reason
        assert find_grant(act, NURSE.id, visit.id) is not None
        assert find_grant(act, "nurse-2", visit.id) is None
    told = [detail for action, _, detail in actions(store) if action == "glass.break"]
    assert (
        len(told) == 1 and '"code":"110113"' in told[0] and '"subtype":"110127"' in told[0] and why not in told[0]
    )


def test_an_auditor_looks_at_the_glass_once_and_nobody_at_their_own(store: Store) -> None:
    visit, auditor = make_waiting(store), give(store, "uma", "auditor")
    with store.act(NURSE) as act:
        grant = break_glass(act, visit.id, "covers for a colleague who fell ill", NOON)
    with store.act(CONSOLE) as act:
        assert find_unseen(act) == (1, NOON)
    for who in (NURSE, Who("physician-1", "physician")):
        with store.act(who) as act, pytest.raises(RefusedError, match="an auditor"):
            look_at(act, grant.id, "fits")
    with store.act(CONSOLE) as act:
        change_user(act, NURSE.id, role="auditor")
    with store.act(NURSE) as act, pytest.raises(RefusedError, match="never who opened"):
        look_at(act, grant.id, "fits")
    with store.act(Who(auditor.id, "auditor")) as act, pytest.raises(RefusedError, match="choose"):
        look_at(act, grant.id, "")
    with store.act(Who(auditor.id, "auditor")) as act:
        look_at(act, grant.id, "follow-up")
    with store.act(Who(auditor.id, "auditor")) as act, pytest.raises(ConflictError):
        look_at(act, grant.id, "fits")
    with store.act(CONSOLE) as act:
        assert find_unseen(act) == (0, None)


def test_a_password_check_takes_its_turn_or_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from prescreen.store import passwords

    monkeypatch.setattr(passwords, "_AT_ONCE", threading.BoundedSemaphore(1))
    monkeypatch.setattr(passwords, "_WAIT_S", 0.05)
    with passwords._Turn(), pytest.raises(RefusedError, match="too many people"):
        verify(None, GOOD, NOON)
    assert not verify(None, GOOD, NOON)


def test_own_names_are_no_password() -> None:
    user = User(login="nina", name="Ana Limamora")
    check_own(user, GOOD)
    with pytest.raises(RefusedError):
        check_own(user, "limamora and more")


def test_a_shift_signs_in_from_one_address_without_waiting(store: Store) -> None:
    with store.act(NURSE) as act:
        made = [add_user(act, f"shift{n}", name=f"Nurse {n}", role="nurse", teams=["clinic"]) for n in range(25)]
    for one in made:
        answer = sign_in(
            store, Try(login=one.user.login, password=one.password, code="", address="10.0.0.9"), STAFF
        )
        assert answer.begun is not None, one.user.login
