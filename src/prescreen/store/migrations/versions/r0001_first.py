"""The first revision: every table of the clinic at work. Written out, so that a later model does not change it.

A line of `TABLES` is a table, the indented ones its columns: name, type, then `key`, `null`, `unique`, `>table it
points to`.
"""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TYPES: Final[dict[str, Any]] = {
    "text": sa.String(64),
    "text128": sa.String(128),
    "text160": sa.String(160),
    "text256": sa.String(256),
    "long": sa.Text(),
    "number": sa.Integer(),
    "fraction": sa.Double(),
    "flag": sa.Boolean(),
    "moment": sa.DateTime(),
    "sealed": sa.LargeBinary(),
    "json": sa.JSON(),
}
TABLES: Final = """\
attempts
    look text key, since moment, count number
audit
    number number key, at moment, actor text, role text, action text, thing text128, outcome text,
    detail long, mac text
audit_head
    id number key, number number, mac text, seal text
checkpoints
    number number key, at moment, mac text, signature text128
patients
    id text key, look sealed null unique, key_version number, sealed_key sealed null, link sealed null,
    training flag, hold flag, created moment, shredded moment null
resource_keys
    kind text key, look sealed key, id text key
resources
    kind text key, id text key, version number key, at moment, is_current flag, subject sealed null,
    body sealed
seen_tokens
    look text key, ends moment
users
    id text key, login text unique, name text160, role text, teams json, reference text160 null,
    password text256 null, totp sealed null, totp_last number, issuer text256 null, subject text256 null,
    disabled flag, must_change flag, created moment
notices
    id text key, team text, at moment, author text >users, body sealed
visits
    id text key, patient_id text >patients, team text, language text, channel text, state text,
    version number, opened moment, finished moment null, urgent moment null, level number null,
    level_rules number null, level_model number null, blind flag, assigned_to text null >users,
    escalated moment null, locked_by text null >users, locked_until moment null, interview sealed null,
    case sealed null, unasked sealed null, record sealed null, draft_id text null
drafts
    id text key, visit_id text >visits, at moment, level number, label json null, why long, report sealed
entries
    id text key, visit_id text >visits, number number, at moment, kind text, actor text, body sealed
grants
    id text key, user_id text >users, visit_id text >visits, reason sealed, at moment, ends moment,
    looked_by text null, looked_at moment null
jobs
    id text key, visit_id text >visits, kind text, state text, due moment, deadline moment, attempts number,
    lease text null, lease_until moment null
passes
    look text key, visit_id text >visits, kind text, ends moment, used moment null
reviews
    id text key, visit_id text >visits, draft_id text null, signer text >users, at moment, state text,
    level number, level_before number null, blind_level number null, reason text, edited flag,
    seconds fraction, undo_until moment, corrects text null, seen text, body sealed
sessions
    id text key, user_id text null >users, visit_id text null >visits, role text, csrf text, begun moment,
    seen moment, ends moment, proved moment null, ended moment null
outgoing
    id text key, review_id text >reviews, channel text, state text, due moment, attempts number,
    lease text null, lease_until moment null, receipt text256, error long, sent moment null
"""
INDEXES: Final = """\
ix_audit_thing audit thing
ix_resource_keys_id resource_keys kind,id
ix_resources_current resources kind,is_current,at
ix_resources_subject resources subject
uq_users_issuer_subject users issuer,subject unique
ix_visits_patient_id visits patient_id
ix_visits_queue visits state,level,finished
ix_drafts_visit_id drafts visit_id
ix_entries_visit_id entries visit_id
uq_entries_visit_number entries visit_id,number unique
ix_grants_user_id grants user_id
ix_grants_visit_id grants visit_id
ix_jobs_due jobs state,due
ix_jobs_visit_id jobs visit_id
ix_passes_visit_id passes visit_id
ix_reviews_visit_id reviews visit_id
ix_sessions_user_id sessions user_id
ix_sessions_visit_id sessions visit_id
ix_outgoing_due outgoing state,due
ix_outgoing_review_id outgoing review_id
uq_outgoing_review_channel outgoing review_id,channel unique
"""


def upgrade() -> None:
    for table, columns in read_tables():
        parts = [part for words in columns for part in make_column(table, *words)]
        op.create_table(table, *parts, make_key(table, columns))
    for line in INDEXES.splitlines():
        name, table, names, *rest = line.split()
        op.create_index(name, table, names.split(","), unique="unique" in rest)


def downgrade() -> None:
    for table, _ in reversed(read_tables()):
        op.drop_table(table)


def read_tables() -> list[tuple[str, list[list[str]]]]:
    """Every table with the words of its columns, in an order in which they can be made."""
    tables: list[tuple[str, list[list[str]]]] = []
    for line in TABLES.splitlines():
        if line.startswith(" "):
            tables[-1][1].extend(column.split() for column in line.strip(" ,").split(","))
        else:
            tables.append((line, []))
    return tables


def make_column(table: str, name: str, kind: str, *rest: str) -> list[Any]:
    """A column, and what binds it."""
    made: list[Any] = [sa.Column(name, TYPES[kind], nullable="null" in rest, autoincrement=False)]
    if "unique" in rest:
        made.append(sa.UniqueConstraint(name, name=f"uq_{table}_{name}"))
    for word in rest:
        if word.startswith(">"):
            made.append(sa.ForeignKeyConstraint([name], [f"{word[1:]}.id"], name=f"fk_{table}_{name}"))
    return made


def make_key(table: str, columns: list[list[str]]) -> sa.PrimaryKeyConstraint:
    names = [words[0] for words in columns if "key" in words[2:]]
    return sa.PrimaryKeyConstraint(*names, name=f"pk_{table}")
