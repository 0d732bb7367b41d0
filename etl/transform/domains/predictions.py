"""Predictions as people speak of them: a band instead of a probability."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator
from pyspark.sql import Column
from pyspark.sql import functions as F

from etl.config.frozen import FrozenModel
from etl.transform.draft import Draft, column_of


class PredictionBands(FrozenModel):
    """Adds `into`: the band with the greatest lower bound that the value reaches.

    NULL where the value is NULL, NaN or outside `minimum`..`maximum`: a band would be a guess there.
    """

    column: str
    into: str
    bands: Mapping[str, float] = Field(
        default={"low": 0.0, "medium": 0.3, "high": 0.6, "very_high": 0.85}, min_length=1
    )
    minimum: float = 0.0
    maximum: float = 1.0

    @field_validator("bands")
    @classmethod
    def _bounds_differ(cls, bands: Mapping[str, float]) -> Mapping[str, float]:
        if len(set(bands.values())) < len(bands):
            raise ValueError("expected a lower bound of its own for each band")
        return bands

    def __call__(self, draft: Draft) -> Draft:
        return draft.retyped({self.into: self._band(column_of(self.column))})

    def _band(self, value: Column) -> Column:
        # Spark counts NaN as greater than every number, so that it is outside too
        number = value.cast("double")
        from_the_top = sorted(self.bands.items(), key=lambda band: band[1], reverse=True)
        chosen = (F.when(number >= bound, F.lit(name)) for name, bound in from_the_top)
        return F.when(number.between(self.minimum, self.maximum), F.coalesce(*chosen))
