"""Roll-ups of windows to 15 minutes and hours; alert rules, alerts and their deliveries."""

import sqlalchemy as sa
from alembic import op

from smartcity.store.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "window_rollups",
        sa.Column("period_minutes", sa.Integer, primary_key=True),
        sa.Column("cell_id", sa.String(64), primary_key=True),
        sa.Column("start_utc", UtcDateTime, primary_key=True),
        sa.Column("windows", sa.Integer, nullable=False),
        sa.Column("vehicle_count", sa.BigInteger, nullable=False),
        sa.Column("position_count", sa.BigInteger, nullable=False),
        sa.Column("speed_positions", sa.Float, nullable=False),
        sa.Column("known", sa.BigInteger, nullable=False),
        sa.Column("ratio_sum", sa.Float, nullable=False),
        sa.Column("high", sa.BigInteger, nullable=False),
        sa.Column("least_speed_mph", sa.Float),
        sa.Column("most_speed_mph", sa.Float),
        sa.Column("least_ratio", sa.Float),
        sa.Column("most_ratio", sa.Float),
        sa.Column("least_share_high", sa.Float),
        sa.Column("most_share_high", sa.Float),
        sa.Column("forecasts", sa.BigInteger, nullable=False),
        sa.Column("chance_high_sum", sa.Float, nullable=False),
    )
    op.create_index("window_rollups_by_time", "window_rollups", ["period_minutes", "start_utc"])
    op.create_table(
        "alert_rules",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("cells", sa.JSON),
        sa.Column("bbox", sa.JSON),
        sa.Column("looks_at", sa.String(8), nullable=False),
        sa.Column("level", sa.String(8), nullable=False),
        sa.Column("min_share", sa.Float, nullable=False),
        sa.Column("clear_share", sa.Float, nullable=False),
        sa.Column("min_minutes", sa.Float, nullable=False),
        sa.Column("clear_minutes", sa.Float, nullable=False),
        sa.Column("webhook_url", sa.Text),
        sa.Column("webhook_secret", sa.String(128)),
        sa.Column("created_utc", UtcDateTime, nullable=False),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("rule_id", sa.String(32), nullable=False),
        sa.Column("rule_name", sa.String(200), nullable=False),
        sa.Column("raised_utc", UtcDateTime, nullable=False),
        sa.Column("cleared_utc", UtcDateTime),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("cells", sa.JSON, nullable=False),
    )
    op.create_index("alerts_by_time", "alerts", ["raised_utc"])
    op.create_index("alerts_by_rule", "alerts", ["rule_id"])
    op.create_table(
        "alert_deliveries",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("rule_id", sa.String(32), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_utc", UtcDateTime),
        sa.Column("delivered_utc", UtcDateTime),
        sa.Column("given_up", sa.Boolean, nullable=False),
        sa.Column("last_error", sa.String(200)),
    )
    op.create_index("alert_deliveries_by_due", "alert_deliveries", ["due_utc"])


def downgrade() -> None:
    """Drop them."""
    for table in ("alert_deliveries", "alerts", "alert_rules", "window_rollups"):
        op.drop_table(table)
