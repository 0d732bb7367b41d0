"""Picks a table's transformer: the declarative one, with a domain's class where the table names one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import SecretStr
from pydantic import ValidationError as PydanticError

from etl.config.tables.masking import Objection, foreign_key_objections, objections
from etl.config.tables.models import TableConfig
from etl.errors import ConfigurationError
from etl.model import Destination, TableDefinition
from etl.nearest import suggestion
from etl.transform.declarative import DeclarativeTransformer, DomainStep, Transformer
from etl.transform.domains.compliance import ConsentState, Deadline
from etl.transform.domains.customer import EventNormalization
from etl.transform.domains.editorial import ArticleText
from etl.transform.domains.predictions import PredictionBands
from etl.transform.domains.sessions import SessionMetrics
from etl.transform.expressions import fault, fault_of
from etl.transform.keyed import keys_of

_NONE = SecretStr("")
_NO_TABLES: Mapping[str, TableConfig] = MappingProxyType({})


class TransformerFactory:
    """`TRANSFORMERS` maps the name a table gives to the class; its `options` are the class's own fields."""

    TRANSFORMERS: ClassVar[Mapping[str, Callable[..., DomainStep]]] = {
        "ArticleText": ArticleText,
        "ConsentState": ConsentState,
        "Deadline": Deadline,
        "EventNormalization": EventNormalization,
        "PredictionBands": PredictionBands,
        "SessionMetrics": SessionMetrics,
    }

    @classmethod
    def get_transformer(
        cls,
        table: TableConfig,
        definition: TableDefinition | None,
        destinations: Collection[Destination] = (),
        hash_salt: SecretStr = _NONE,
        mask_key: SecretStr = _NONE,
        tables: Mapping[str, TableConfig] = _NO_TABLES,
    ) -> Transformer:
        """Raises ConfigurationError for what can be known wrong without a frame; `tables` are those that the foreign
        keys of `definition` may point at."""
        links = foreign_key_objections(table, definition, tables, destinations)
        _refuse(table, (*objections(table, definition), *links))
        step = cls._domain_step(table)
        return DeclarativeTransformer(table, definition, tuple(destinations), keys_of(table, hash_salt, mask_key), step)

    @classmethod
    def _domain_step(cls, table: TableConfig) -> DomainStep | None:
        name, options = table.transform.transformer, dict[str, Any](table.transform.options)
        if name is None:
            return None
        if name not in cls.TRANSFORMERS:
            raise fault(table, "transformer", f"unknown class {name!r}; {suggestion(name, cls.TRANSFORMERS)}")
        try:
            return cls.TRANSFORMERS[name](**options)
        except PydanticError as error:
            problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise fault(table, "options", f"{name} does not take them: {problems}") from error


def _refuse(table: TableConfig, found: Iterable[Objection]) -> None:
    """What the configuration has said already, where it knew the source's schema; now the live one is known."""
    faults = [fault_of(table, f".transform.{step}.{name}: {reason}") for step, name, reason in found]
    if faults:
        raise ConfigurationError(faults)
