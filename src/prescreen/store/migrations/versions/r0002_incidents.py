"""Incidents: what went wrong on a visit, who looked into it and what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("visit_id", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("reporter", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("severity", sa.String(64), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("hazard", sa.String(64), nullable=True),
        sa.Column("assessed", sa.DateTime(), nullable=True),
        sa.Column("assessed_by", sa.String(64), nullable=True),
        sa.Column("outcome", sa.String(64), nullable=True),
        sa.Column("closed", sa.DateTime(), nullable=True),
        sa.Column("closed_by", sa.String(64), nullable=True),
        sa.Column("case_id", sa.String(64), nullable=True),
        sa.Column("report", sa.LargeBinary(), nullable=False),
        sa.Column("assessment", sa.LargeBinary(), nullable=True),
        sa.Column("conclusion", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name="fk_incidents_visit_id"),
    )
    op.create_index("ix_incidents_visit_id", "incidents", ["visit_id"])


def downgrade() -> None:
    op.drop_table("incidents")
