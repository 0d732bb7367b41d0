"""Spark's values, told apart exactly and written as text exactly. Pure text: no Spark."""

from __future__ import annotations

from etl.statements.quoting import spark_literal

JSON_FORMATS = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
    "dateFormat": "yyyy-MM-dd",
}
"""Spark's own formats of times end at the millisecond."""

JSON_OPTIONS = {"ignoreNullFields": "false", **JSON_FORMATS}


def to_json(value: str) -> str:
    """`value` as JSON text in Spark SQL: microseconds and NULL fields are kept."""
    options = ", ".join(f"{spark_literal(name)}, {spark_literal(said)}" for name, said in JSON_OPTIONS.items())
    return f"to_json({value}, map({options}))"


def identity(value: str, spark_type: str) -> list[str]:
    """What two values of a type must agree in (`<=>`, or a hash of it) to be the same in every bit.

    0 and -0 are equal and hash alike, in floats and in what holds floats; maps have no equality. All NaN are one.
    """
    if spark_type in ("float", "double"):
        return [value, f"({value} = 0 AND cast({value} AS string) LIKE '-%')"]
    return [to_json(value)] if spark_type.startswith(("array<", "map<", "struct<")) else [value]
