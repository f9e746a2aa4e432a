"""What became of patients within 72 hours. Written out, so that a later model does not change it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "outcomes",
        sa.Column("visit_id", sa.String(64), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("why", sa.String(64), nullable=False),
        sa.Column("due", sa.DateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(64), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=True),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name="fk_outcomes_visit_id"),
        sa.PrimaryKeyConstraint("visit_id", name="pk_outcomes"),
    )
    op.create_index("ix_outcomes_due", "outcomes", ["state", "due"])


def downgrade() -> None:
    op.drop_table("outcomes")
