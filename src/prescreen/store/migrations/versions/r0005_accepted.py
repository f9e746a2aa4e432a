"""Changes of signals that the clinic accepted. Written out, so that a later model does not change it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "accepted_changes",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("signal", sa.String(64), nullable=False),
        sa.Column("since", sa.String(64), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accepted_changes"),
    )


def downgrade() -> None:
    op.drop_table("accepted_changes")
