"""Which part of the city a WebSocket client wants: all of it, a box, or some cells; and messages cut to that."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.places import Places
from api.queries import BoundingBox, CellIds
from smartcity.city import Bounds
from smartcity.messages import MapVehicle


class Subscribe(BaseModel):
    """What a client sends to see a part only; with neither ``bbox`` nor ``cells``, all again."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bbox: BoundingBox | None = Field(default=None, description="west,south,east,north in degrees.")
    cells: CellIds | None = Field(default=None, description="Cell ids, as a list or separated by commas.")


@dataclass(frozen=True)
class Subscription:
    """A part of the city; hashable, so that clients with the same one share their messages."""

    bbox: Bounds | None = None
    cells: frozenset[str] | None = None

    @classmethod
    def of(cls, values: object) -> "Subscription":
        """From what a client sent. Raises: ValueError naming what is wrong."""
        try:
            asked = Subscribe.model_validate(values)
        except ValidationError as error:
            raise ValueError("; ".join(str(item["msg"]) for item in error.errors())) from None
        return cls(asked.bbox, asked.cells)

    @property
    def whole(self) -> bool:
        """Whether it is the whole city."""
        return self.bbox is None and self.cells is None

    def has_cell(self, cell_id: str, places: Places) -> bool:
        """Whether a cell is in it."""
        if self.cells is not None and cell_id not in self.cells:
            return False
        return self.bbox is None or places.inside(cell_id, self.bbox)

    def has_vehicle(self, vehicle: MapVehicle) -> bool:
        """Whether a vehicle is in it; none is where cells are named without a box."""
        box = self.bbox
        if box is None:
            return self.whole
        return box.south <= vehicle.latitude <= box.north and box.west <= vehicle.longitude <= box.east


EVERYTHING = Subscription()
