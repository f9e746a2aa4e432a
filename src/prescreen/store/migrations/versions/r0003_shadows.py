"""Drafts of a candidate on trial, which nobody is shown. Written out, so that a later model does not change it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "shadows",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("visit_id", sa.String(64), nullable=False),
        sa.Column("draft_id", sa.String(64), nullable=False),
        sa.Column("release", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("level_model", sa.Integer(), nullable=True),
        sa.Column("label", sa.JSON(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("report", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name="fk_shadows_visit_id"),
        sa.PrimaryKeyConstraint("id", name="pk_shadows"),
    )
    op.create_index("ix_shadows_visit_id", "shadows", ["visit_id"])
    op.create_index("uq_shadows_draft_release", "shadows", ["draft_id", "release"], unique=True)


def downgrade() -> None:
    op.drop_table("shadows")
