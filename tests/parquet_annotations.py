"""How writers of Parquet annotate a column of each meaning: the keywords of parquet_files.Element."""

from __future__ import annotations

from typing import Any

Annotation = dict[str, Any]

UUID = bytes.fromhex("a0eebc999c0b4ef8bb6d6bb9bd380a11")
MICROS = [-62_135_596_800_000_000, 1_709_208_000_123_456, None]
"""0001-01-01 and 2024-02-29 12:00:00.123456"""
TICKS = [0, 86_399_999_999, None]
"""The first and the last microsecond of a day."""

DATES: list[Annotation] = [{"converted": "DATE"}, {"logical": ("DATE", ())}]
TIMES_MILLIS: list[Annotation] = [
    {"converted": "TIME_MILLIS"},
    {"logical": ("TIME", (True, "MILLIS"))},
    {"logical": ("TIME", (False, "MILLIS"))},
]
TIMES_MICROS: list[Annotation] = [
    {"converted": "TIME_MICROS"},
    {"logical": ("TIME", (True, "MICROS"))},
    {"logical": ("TIME", (False, "MICROS"))},
]
INSTANTS_MICROS: list[Annotation] = [
    {"converted": "TIMESTAMP_MICROS"},
    {"logical": ("TIMESTAMP", (True, "MICROS"))},
]
INSTANTS_MILLIS: list[Annotation] = [
    {"converted": "TIMESTAMP_MILLIS"},
    {"logical": ("TIMESTAMP", (True, "MILLIS"))},
]
CLOCKS_MICROS: list[Annotation] = [{"logical": ("TIMESTAMP", (False, "MICROS"))}]
CLOCKS_MILLIS: list[Annotation] = [{"logical": ("TIMESTAMP", (False, "MILLIS"))}]
TEXTS: list[Annotation] = [
    {"converted": "UTF8"},
    {"logical": ("STRING", ())},
    {"converted": "ENUM"},
    {"converted": "ENUM", "logical": ("ENUM", ())},
    {"logical": ("ENUM", ())},
]
JSONS: list[Annotation] = [{"converted": "JSON"}, {"logical": ("JSON", ())}]
BSONS: list[Annotation] = [{"converted": "BSON"}, {"logical": ("BSON", ())}]
DECIMALS: list[tuple[str, list[Any], Annotation]] = [
    (physical, values, {"length": length, "scale": 2, "precision": 9, **each})
    for physical, length, values in (
        ("INT32", None, [-50, 123_456_789, None]),
        ("INT64", None, [-50, 123_456_789, None]),
        ("BYTE_ARRAY", None, [b"\xce", (123_456_789).to_bytes(4, "big"), None]),
        ("FIXED_LEN_BYTE_ARRAY", 5, [b"\xff\xff\xff\xff\xce", (123_456_789).to_bytes(5, "big"), None]),
    )
    for each in ({"converted": "DECIMAL"}, {"logical": ("DECIMAL", (2, 9))})
]
"""-0.50 and 1234567.89 in whatever carries a decimal."""


def integers(bits: int, is_signed: bool) -> list[Annotation]:
    return [{"converted": f"{'' if is_signed else 'U'}INT_{bits}"}, {"logical": ("INTEGER", (bits, is_signed))}]


def times(per_second: int) -> list[int | None]:
    """The ticks in another unit."""
    return [None if tick is None else tick * per_second // 1_000_000 for tick in TICKS]
