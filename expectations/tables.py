"""Gates on tables of the lake: schema first, then one row per day, then every row in pieces of whole days."""

from collections.abc import Callable, Iterator

import pyarrow as pa

from expectations.frames import pieces, schema_frame
from expectations.rule import Batch, Frame
from expectations.span import Span
from expectations.suite import Opened, Part, Request
from smartcity.city import City
from smartcity.lake import Dataset, Table


def unchanged(rows: pa.Table, city: City) -> pa.Table:
    """For suites whose rules need no derived column."""
    return rows


def lake_table(
    maker: str,
    table: Callable[[Dataset], Table],
    days: Callable[[Dataset, Span], Frame],
    derive: Callable[[pa.Table, City], pa.Table] = unchanged,
) -> Callable[[Request], Opened]:
    """How a suite opens its table. ``derive`` adds the columns that row rules need; ``days``: figures by day."""

    def opened(request: Request) -> Opened:
        dataset = request.dataset
        guarded = table(dataset)
        span = Span.of(guarded, request.start, request.end, f"{maker} --dataset {dataset.name}")
        return Opened(span.days[0], span.days[-1], _parts(dataset, guarded, span))

    def _parts(dataset: Dataset, guarded: Table, span: Span) -> Iterator[Part]:
        yield Part(Batch.SCHEMA, schema_frame(guarded, span))
        yield Part(Batch.DAYS, days(dataset, span))
        stretches = list(pieces(guarded, span))
        for first, last in stretches:
            rows = guarded.read(first, last)
            label = "" if len(stretches) == 1 else f"_{first.isoformat()}"
            yield Part(Batch.ROWS, rows_frame(derive(rows.combine_chunks(), dataset.city)), rows.num_rows, label)

    return opened


def rows_frame(rows: pa.Table) -> Frame:
    """The rows as the rules see them; repeated texts share memory."""
    return rows.to_pandas(deduplicate_objects=True, split_blocks=True, self_destruct=True)
