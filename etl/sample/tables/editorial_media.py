"""Domain editorial, second half: article texts and their versions, pictures, collections and their use."""

from __future__ import annotations

import numpy as np

from etl.sample import values
from etl.sample.draw import Whole
from etl.sample.prose import draw_languages, headlines, language_codes, paragraphs, sentence
from etl.sample.rows import Rows
from etl.sample.tables.editorial import TAG_POOL
from etl.sample.values import Columns, array_pool, join, json_objects, take, words
from etl.sample.vocabulary.people import LAST_NAMES

_VARIANTS = ("thumbnail", "small", "medium", "large", "social", "print")
_WIDTHS = np.array([160, 480, 960, 1_920, 1_200, 4_000])
_MIME = ("image/jpeg", "image/webp", "video/mp4", "audio/mpeg", "image/svg+xml", "application/pdf")
_TYPES = ("image", "image", "video", "audio", "graphic", "document")
_CROPS = array_pool([0, 10, 100, 640, 1_280], longest=4)


def editorial_article_content(rows: Rows) -> Columns:
    article = rows.along("editorial_articles")
    created = rows.later("created_at/lag", rows.world.rows("editorial_articles", article).moments(), 1_800)
    languages = draw_languages(rows)
    structure = {"paragraphs": rows.numbers("paragraphs", 2, 30), "images": rows.numbers("images", 0, 6)}
    return {
        "content_id": rows.keys(),
        "article_id": values.integers(article + 1),
        "language": language_codes(languages),
        "revision": rows.numbers("revision", 1, 9),
        "body": paragraphs(rows, "body", languages, 3),
        "body_format": rows.choice("body_format", ["html", "markdown", "plain"], (80, 15, 5)),
        "summary": rows.maybe("summary", sentence(rows, "summary", languages), 0.3),
        "content_hash": rows.blobs("content_hash"),
        "keywords": rows.choice("keywords", TAG_POOL, nulls=0.1),
        "readability": rows.decimals("readability", 10, 90, 2, nulls=0.1),
        "structure": rows.maybe("structure", json_objects(structure), 0.1),
        "is_current": rows.flags("is_current", 0.8),
        **rows.stamps(created),
    }


def editorial_content_versions(rows: Rows) -> Columns:
    created = rows.moments()
    content = rows.along("editorial_article_content")
    diff = {"added": rows.amounts("added", 60), "removed": rows.amounts("removed", 25)}
    return {
        "version_id": rows.keys(),
        "content_id": rows.world.keys("editorial_article_content", content),
        "previous_version_id": rows.earlier("previous_version_id", nulls=0.4),
        "edited_by_author_id": rows.parents("editorial_authors", "edited_by_author_id", nulls=0.05, power=1.6),
        "version_number": rows.numbers("version_number", 1, 14),
        "change_summary": rows.choice(
            "change_summary", ["Tippfehler", "Update", "Correction", "mise à jour", "更正", ""], nulls=0.3
        ),
        "word_delta": rows.numbers("word_delta", -300, 500, nulls=0.05),
        "diff": rows.maybe("diff", json_objects(diff), 0.2),
        "compressed_body": rows.blobs("compressed_body", 8, nulls=0.4),
        "is_major": rows.flags("is_major", 0.15),
        "edited_at": values.instants(rows.happened(created)),
        "created_at": values.instants(created),
    }


def editorial_media_assets(rows: Rows) -> Columns:
    kind = rows.weighted("asset_type", (60, 18, 8, 6, 5, 3))
    is_flat = np.isin(kind, (3, 5))
    created = rows.past(6.0)
    languages = draw_languages(rows)
    exif = {
        "iso": rows.choice("iso", ["100", "400", "1600"]),
        "lens": rows.choice("lens", ["35mm", "50mm f/1.8"], nulls=0.3),
    }
    name = join(
        rows.choice("file_name", ["IMG", "DSC", "Straße", "marché", "新闻", "clip"]),
        "_",
        values.integers(rows.index + 10_000),
    )
    return {
        "asset_id": rows.keys(),
        "uploaded_by_employee_id": rows.parents("company_employees", "uploaded_by_employee_id", nulls=0.1, power=2),
        "asset_type": take(words(_TYPES), kind),
        "file_name": name,
        "mime_type": take(words(_MIME), kind),
        "file_size_bytes": values.integers(1_000 + rows.exponential("file_size_bytes", 3e6).astype(np.int64)),
        "width": values.integers(rows.whole("width", 320, 6_000), is_flat),
        "height": values.integers(rows.whole("height", 240, 4_000), is_flat),
        "duration_seconds": values.decimals(rows.exponential("duration", 200), 3, ~np.isin(kind, (2, 3))),
        "checksum": rows.blobs("checksum"),
        "storage_url": join("s3://media/", rows.keys()),
        "copyright_holder": rows.choice("copyright_holder", LAST_NAMES, nulls=0.15),
        "license": rows.choice("license", ["CC BY 4.0", "CC BY-SA 4.0", "agency", "own", "public domain"], nulls=0.1),
        "alt_text": rows.maybe("alt_text", sentence(rows, "alt_text", languages), 0.3),
        "captions": rows.maybe("captions", json_objects({"text": headlines(rows, "caption", languages)}), 0.3),
        "exif": rows.maybe("exif", json_objects(exif), 0.5),
        "tags": rows.choice("tags", TAG_POOL, nulls=0.1),
        "taken_on": values.dates(rows.days_of(created) - rows.whole("taken_on", 0, 400), rows.nulls("taken_on", 0.3)),
        "license_expires_on": values.dates(rows.days_of(created) + 1_825, rows.nulls("license_expires_on", 0.7)),
        "is_ai_generated": rows.flags("is_ai_generated", 0.05),
        **rows.stamps(created),
    }


def editorial_media_variants(rows: Rows) -> Columns:
    """Variant n belongs to asset n modulo their number: each asset gets its variants round by round, none twice."""
    asset, kind = _variant_parts(rows, rows.index)
    return {
        "variant_id": rows.keys(),
        "asset_id": values.integers(asset + 1),
        "variant_name": join(take(words(_VARIANTS), kind % len(_VARIANTS)), "_", values.integers(kind)),
        "format": rows.choice("format", ["webp", "jpeg", "avif", "mp4"]),
        "width": values.integers(_WIDTHS[kind % len(_WIDTHS)], rows.nulls("width", 0.05)),
        "height": values.integers(_WIDTHS[kind % len(_WIDTHS)] * 2 // 3, rows.nulls("height", 0.05)),
        "file_size_bytes": values.integers(400 + rows.exponential("file_size_bytes", 2e5).astype(np.int64)),
        "quality": rows.numbers("quality", 40, 95, nulls=0.1),
        "storage_url": join("s3://media/variants/", rows.keys()),
        "checksum": rows.blobs("checksum", nulls=0.2),
        "is_default": values.flags(kind == 0),
        **rows.stamps(rows.past(4.0)),
    }


def _variant_parts(rows: Rows, variant: Whole) -> tuple[Whole, Whole]:
    assets = rows.world.total("editorial_media_assets")
    return variant % assets, variant // assets


def editorial_content_media(rows: Rows) -> Columns:
    created = rows.moments()
    variant = rows.skewed("variant_id", rows.world.total("editorial_media_variants"), 1.5)
    asset, _ = _variant_parts(rows, variant)
    focal = {"x": rows.decimals("x", 0, 1, 3), "y": rows.decimals("y", 0, 1, 3)}
    return {
        "content_media_id": rows.keys(),
        "content_id": rows.world.keys("editorial_article_content", rows.along("editorial_article_content")),
        "asset_id": values.integers(asset + 1),
        "variant_id": values.integers(variant + 1, rows.nulls("variant_id", 0.3)),
        "role": rows.choice("role", ["lead", "inline", "gallery", "thumbnail", "background"], (40, 30, 20, 8, 2)),
        "position": rows.numbers("position", 0, 20),
        "caption_override": rows.maybe("caption_override", headlines(rows, "caption", draw_languages(rows)), 0.7),
        "crop_box": rows.choice("crop_box", _CROPS, nulls=0.4),
        "focal_point": rows.maybe("focal_point", json_objects(focal), 0.5),
        **rows.stamps(created),
    }


def editorial_media_collections(rows: Rows) -> Columns:
    created = rows.past(5.0)
    day = rows.days_of(created)
    return {
        "collection_id": rows.keys(),
        "parent_collection_id": rows.earlier("parent_collection_id", nulls=0.7),
        "brand_id": rows.parents("brands", "brand_id"),
        "curator_employee_id": rows.parents("company_employees", "curator_employee_id", nulls=0.1),
        "cover_asset_id": rows.parents("editorial_media_assets", "cover_asset_id", nulls=0.2),
        "name": headlines(rows, "name", draw_languages(rows)),
        "slug": join("collection-", rows.keys()),
        "description": rows.maybe("description", sentence(rows, "description", draw_languages(rows)), 0.3),
        "collection_type": rows.choice("collection_type", ["gallery", "series", "archive", "campaign"]),
        "tags": rows.choice("tags", TAG_POOL, nulls=0.1),
        "valid_from": values.dates(day, rows.nulls("valid_from", 0.2)),
        "valid_until": values.dates(day + rows.whole("valid_until", 30, 2_000), rows.nulls("valid_until", 0.6)),
        "is_public": rows.flags("is_public", 0.8),
        **rows.stamps(created),
    }


def editorial_media_collection_items(rows: Rows) -> Columns:
    collections = rows.world.total("editorial_media_collections")
    created = rows.past(4.0)
    return {
        "collection_item_id": rows.keys(),
        "collection_id": values.integers(rows.index % collections + 1),
        "asset_id": rows.parents("editorial_media_assets", "asset_id", power=1.5),
        "added_by_employee_id": rows.parents("company_employees", "added_by_employee_id", nulls=0.1),
        "order": values.integers(rows.index // collections + 1),
        "note": rows.choice("note", ["Titelbild", "check rights", "à recadrer", '"final" version'], nulls=0.7),
        "weight": rows.decimals("weight", 0, 1, 4, nulls=0.2),
        "starts_on": values.dates(rows.days_of(created), rows.nulls("starts_on", 0.3)),
        "ends_on": values.dates(rows.days_of(created) + 365, rows.nulls("ends_on", 0.7)),
        **rows.stamps(created),
    }


def editorial_media_usage(rows: Rows) -> Columns:
    created = rows.moments()
    happened = rows.happened(created)
    variant = rows.skewed("variant_id", rows.world.total("editorial_media_variants"), 2.0)
    asset, _ = _variant_parts(rows, variant)
    placement = {
        "slot": rows.choice("slot", ["hero", "teaser", "body", "push"]),
        "position": rows.numbers("position", 0, 12),
    }
    return {
        "usage_id": rows.keys(),
        "asset_id": values.integers(asset + 1),
        "variant_id": values.integers(variant + 1, rows.nulls("variant_id", 0.1)),
        "article_id": rows.recent("editorial_articles", "article_id", happened, nulls=0.1),
        "brand_id": rows.parents("brands", "brand_id", power=2),
        "country_id": rows.parents("countries", "country_id", nulls=0.1, power=3),
        "usage_type": rows.choice(
            "usage_type", ["display", "download", "print", "syndication", "social"], (80, 6, 5, 4, 5)
        ),
        "usage_timestamp": values.instants(happened),
        "channel": rows.choice("channel", ["web", "app", "newsletter", "print", "partner"], nulls=0.05),
        "impressions": rows.amounts("impressions", 420),
        "bandwidth_bytes": values.integers(
            rows.exponential("bandwidth", 9e7).astype(np.int64), rows.nulls("bandwidth", 0.1)
        ),
        "license_fee_eur": rows.money("license_fee_eur", 12, nulls=0.7),
        "placement": rows.maybe("placement", json_objects(placement), 0.2),
        "created_at": values.instants(created),
    }


BUILDERS = {
    "editorial_article_content": editorial_article_content, "editorial_content_versions": editorial_content_versions,
    "editorial_media_assets": editorial_media_assets, "editorial_media_variants": editorial_media_variants,
    "editorial_content_media": editorial_content_media, "editorial_media_collections": editorial_media_collections,
    "editorial_media_collection_items": editorial_media_collection_items,
    "editorial_media_usage": editorial_media_usage,
}  # fmt: skip
