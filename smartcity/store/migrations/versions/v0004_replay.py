"""The replay's state, and what is wished of it."""

import sqlalchemy as sa
from alembic import op

from smartcity.store.tables import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "replays",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("wish_number", sa.Integer, nullable=False),
        sa.Column("wish_paused", sa.Boolean, nullable=False),
        sa.Column("wish_speed", sa.Float),
        sa.Column("seek_number", sa.Integer, nullable=False),
        sa.Column("seek_utc", UtcDateTime),
        sa.Column("done_number", sa.Integer, nullable=False),
        sa.Column("refused", sa.String(500)),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("moved_to_now", sa.Boolean, nullable=False),
        sa.Column("loop", sa.Boolean, nullable=False),
        sa.Column("days", sa.JSON, nullable=False),
        sa.Column("from_utc", UtcDateTime, nullable=False),
        sa.Column("to_utc", UtcDateTime, nullable=False),
        sa.Column("speed", sa.Float, nullable=False),
        sa.Column("position_utc", UtcDateTime),
        sa.Column("shifted_seconds", sa.Float),
        sa.Column("events_sent", sa.BigInteger, nullable=False),
        sa.Column("events_per_second", sa.Float, nullable=False),
        sa.Column("updated_utc", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("replays")
