"""Scored windows and the stream's progress: the schema before there were migrations."""

import sqlalchemy as sa
from alembic import op

from smartcity.store.tables import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "scored_windows",
        sa.Column("cell_id", sa.String(64), primary_key=True),
        sa.Column("window_start_utc", UtcDateTime, primary_key=True),
        sa.Column("window_end_utc", UtcDateTime, nullable=False),
        sa.Column("vehicle_count", sa.Integer, nullable=False),
        sa.Column("position_count", sa.Integer, nullable=False),
        sa.Column("speed_sum", sa.BigInteger, nullable=False),
        sa.Column("speed_square_sum", sa.BigInteger, nullable=False),
        sa.Column("vehicle_bits", sa.BigInteger, nullable=False),
        sa.Column("avg_speed_mph", sa.Float),
        sa.Column("std_speed_mph", sa.Float),
        sa.Column("free_flow_mph", sa.Float, nullable=False),
        sa.Column("ratio", sa.Float),
        sa.Column("level", sa.String(8), nullable=False),
        sa.Column("forecast_for_utc", UtcDateTime),
        sa.Column("forecast_level", sa.String(8)),
        sa.Column("probability_low", sa.Float),
        sa.Column("probability_medium", sa.Float),
        sa.Column("probability_high", sa.Float),
        sa.Column("expected_speed_mph", sa.Float),
        sa.Column("model_version", sa.String(32)),
        sa.Column("updated_utc", UtcDateTime, nullable=False),
    )
    op.create_index("scored_windows_by_time", "scored_windows", ["window_start_utc"])
    op.create_index("scored_windows_by_target", "scored_windows", ["forecast_for_utc"])
    op.create_table(
        "stream_progress",
        sa.Column("query", sa.String(64), primary_key=True),
        sa.Column("batch_id", sa.BigInteger, nullable=False),
        sa.Column("updated_utc", UtcDateTime, nullable=False),
        sa.Column("newest_event_utc", UtcDateTime),
        sa.Column("input_rows", sa.BigInteger, nullable=False),
        sa.Column("input_rows_per_second", sa.Float, nullable=False),
        sa.Column("batch_seconds", sa.Float, nullable=False),
        sa.Column("lag_events", sa.BigInteger, nullable=False),
        sa.Column("total_read", sa.BigInteger, nullable=False),
        sa.Column("total_good", sa.BigInteger, nullable=False),
        sa.Column("total_rejected", sa.BigInteger, nullable=False),
        sa.Column("total_late", sa.BigInteger, nullable=False),
        sa.Column("model_version", sa.String(32)),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("stream_progress")
    op.drop_table("scored_windows")
