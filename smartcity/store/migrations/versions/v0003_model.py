"""The model ledger, and the live scores of forecasts."""

import sqlalchemy as sa
from alembic import op

from smartcity.store.tables import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "model_decisions",
        sa.Column("decided_utc", UtcDateTime, primary_key=True),
        sa.Column("version", sa.String(32), primary_key=True),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("promoted", sa.Boolean, nullable=False),
        sa.Column("champion_before", sa.String(32)),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("macro_f1", sa.Float),
        sa.Column("ece", sa.Float),
        sa.Column("persistence_macro_f1", sa.Float),
    )
    op.create_table(
        "live_scores",
        sa.Column("model_version", sa.String(32), primary_key=True),
        sa.Column("scope", sa.String(8), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("until_utc", UtcDateTime, nullable=False),
        sa.Column("scored", sa.Integer, nullable=False),
        sa.Column("accuracy", sa.Float, nullable=False),
        sa.Column("macro_f1", sa.Float, nullable=False),
        sa.Column("ece", sa.Float, nullable=False),
        sa.Column("rmse_mph", sa.Float),
        sa.Column("persistence_accuracy", sa.Float, nullable=False),
        sa.Column("persistence_macro_f1", sa.Float, nullable=False),
        sa.Column("persistence_ece", sa.Float, nullable=False),
        sa.Column("persistence_rmse_mph", sa.Float),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("live_scores", "model_decisions"):
        op.drop_table(table)
