"""Domain base: catalogues of the real world, the companies and brands, the readers and their accounts."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from etl.sample import values
from etl.sample.draw import Whole
from etl.sample.prose import draw_languages, language_codes
from etl.sample.rows import Rows
from etl.sample.values import Columns, array_literal, array_pool, join, json_objects, take, words
from etl.sample.vocabulary.people import FIRST_NAMES, LAST_NAMES, MAIL_DOMAINS, MAIL_NAMES
from etl.sample.vocabulary.places import CITIES, COUNTRIES
from etl.sample.vocabulary.things import (
    BRAND_WORDS,
    BROWSERS,
    CATEGORIES,
    COMPANY_NAMES,
    DEVICE_TYPES,
    OPERATING_SYSTEMS,
)

_INTERESTS = array_pool(
    ["politics", "football", "climate", "tech", "Kultur", "cuisine", "viajes", "kitap", "صحة", "音乐"]
)
_COUNTRY_IDS = {country.iso_alpha2: number for number, country in enumerate(COUNTRIES, start=1)}
_CATEGORY_IDS = {category[0]: number for number, category in enumerate(CATEGORIES, start=1)}
_CITY_COUNTRY_IDS = np.array([_COUNTRY_IDS[city.country] for city in CITIES])
_CITY_TIMEZONES = words([city.timezone for city in CITIES])


def countries(rows: Rows) -> Columns:
    chosen = [COUNTRIES[number] for number in rows.index]
    columns = {name: pa.array([getattr(country, name) for country in chosen]) for name in COUNTRIES[0]._fields}
    columns["languages"] = words([array_literal(country.languages) for country in chosen])
    return {"country_id": rows.keys(), **columns, **rows.stamps(rows.past())}


def companies(rows: Rows) -> Columns:
    chosen = [COMPANY_NAMES[number] for number in rows.index]
    settings = {"fiscal_year_start": rows.numbers("fiscal", 1, 12), "newsroom": rows.flags("newsroom", 0.7)}
    return {
        "company_id": rows.keys(),
        "name": words([name for name, _, _ in chosen]),
        "legal_form": words([form for _, form, _ in chosen]),
        "country_id": pa.array([_COUNTRY_IDS[country] for _, _, country in chosen]),
        "parent_company_id": rows.earlier("parent_company_id", nulls=0.6),
        "data_protection_officer_id": _officers(rows),
        "vat_number": join("EU", values.integers(100_000_000 + rows.index * 7_654_321)),
        "founded_on": values.dates(rows.whole("founded_on", -45_000, 12_000), rows.nulls("founded_on", 0.1)),
        "employee_count": rows.numbers("employee_count", 20, 4_000),
        "annual_revenue_eur": rows.decimals("annual_revenue_eur", 1e6, 9e8, 2, nulls=0.2),
        "website": join("https://company-", rows.keys(), ".example.com"),
        "is_active": rows.flags("is_active", 0.95),
        "settings": json_objects(settings),
        **rows.stamps(rows.past()),
    }


def _officers(rows: Rows) -> values.Column:
    """Employee n works for company n; the smallest samples have fewer employees than companies."""
    return values.integers(rows.index + 1, rows.index >= rows.world.total("company_employees"))


def brands(rows: Rows) -> Columns:
    taglines = ["Mehr wissen.", "News, not noise.", "L’info, autrement", "الخبر كما هو", "新闻每一天", ""]
    fonts = rows.choice("font", ["Merriweather", "Noto Sans", "Noto Naskh Arabic"])
    return {
        "brand_id": rows.keys(),
        "company_id": values.integers(rows.index % rows.world.total("companies") + 1),
        "name": join(rows.choice("name", BRAND_WORDS), " ", rows.keys()),
        "slug": join("brand-", rows.keys()),
        "brand_type": rows.choice(
            "brand_type", ["newspaper", "magazine", "broadcaster", "portal", "podcast", "newsletter"]
        ),
        "primary_language": language_codes(draw_languages(rows)),
        "domain": join("brand-", rows.keys(), ".example.com"),
        "tagline": rows.choice("tagline", taglines, nulls=0.2),
        "launched_on": values.dates(rows.whole("launched_on", -25_000, 19_000), rows.nulls("launched_on", 0.1)),
        "primary_color": rows.choice(
            "primary_color", ["#0b5fff", "#c8102e", "#111111", "#00843d", "#f2a900"], nulls=0.1
        ),
        "subscription_price_eur": rows.decimals("subscription_price_eur", 0, 39.9, 2, nulls=0.3),
        "is_paywalled": rows.flags("is_paywalled", 0.6),
        "style": rows.maybe("style", json_objects({"font": fonts, "dark_mode": rows.flags("dark", 0.5)}), 0.3),
        **rows.stamps(rows.past()),
    }


def brand_countries(rows: Rows) -> Columns:
    brand_count, country_count = rows.world.total("brands"), rows.world.total("countries")
    round_number = rows.index // brand_count
    country = (rows.index % brand_count * 7 + round_number * 11) % country_count
    locales = words([f"{country.languages[0]}-{country.iso_alpha2}" for country in COUNTRIES])
    return {
        "brand_country_id": rows.keys(),
        "brand_id": values.integers(rows.index % brand_count + 1),
        "country_id": values.integers(country + 1),
        "locale": take(locales, country),
        "market_share_percent": rows.decimals("market_share_percent", 0, 35, 2, nulls=0.15),
        "launched_on": values.dates(rows.whole("launched_on", 8_000, 20_000), rows.nulls("launched_on", 0.2)),
        "legal_notice_url": rows.maybe("legal", join("https://legal.example.com/", rows.keys()), 0.3),
        "is_primary_market": values.flags(round_number == 0),
        **rows.stamps(rows.past()),
    }


def cities(rows: Rows) -> Columns:
    chosen = [CITIES[number] for number in rows.index]
    names = [name for name in CITIES[0]._fields if name != "country"]
    columns = {name: pa.array([getattr(city, name) for city in chosen]) for name in names}
    return {
        "city_id": rows.keys(),
        "country_id": values.integers(_CITY_COUNTRY_IDS[rows.index]),
        **columns,
        **rows.stamps(rows.past()),
    }


def categories(rows: Rows) -> Columns:
    chosen = [CATEGORIES[number] for number in rows.index]
    paths = [_category_path(slug) for slug, _, _, _ in chosen]
    return {
        "category_id": rows.keys(),
        "parent_category_id": pa.array(
            [_CATEGORY_IDS[parent] if parent else None for _, _, parent, _ in chosen], pa.int64()
        ),
        "slug": words([slug for slug, _, _, _ in chosen]),
        "name": words([name for _, name, _, _ in chosen]),
        "names_by_language": words([json.dumps(names, ensure_ascii=False) for _, _, _, names in chosen]),
        "depth": pa.array([path.count("/") - 1 for path in paths]),
        "path": words(paths),
        "iab_codes": rows.choice("iab_codes", array_pool(["IAB1", "IAB3", "IAB12", "IAB17-44", "IAB20"]), nulls=0.2),
        "sort_order": rows.numbers("sort_order", 1, 99, nulls=0.1),
        "is_active": rows.flags("is_active", 0.95),
        **rows.stamps(rows.past()),
    }


def _category_path(slug: str) -> str:
    parent = CATEGORIES[_CATEGORY_IDS[slug] - 1][2]
    return f"{_category_path(parent) if parent else ''}/{slug}"


def users(rows: Rows) -> Columns:
    joined = rows.past()
    city = rows.skewed("city_id", rows.world.total("cities"), 1.6)
    has_city = rows.chance("city_id?", 0.7)
    first, last = rows.choice("first_name", FIRST_NAMES, nulls=0.08), rows.choice("last_name", LAST_NAMES, nulls=0.08)
    seen = joined + ((rows.world.origin.end - joined) * rows.uniform("last_login_at")).astype(np.int64)
    preferences = {"theme": rows.choice("theme", ["light", "dark", "auto"]), "digest": rows.flags("digest", 0.4)}
    return {
        "user_id": rows.keys(),
        "user_uuid": rows.uuids("user_uuid"),
        "email": join(rows.choice("email", MAIL_NAMES), ".", rows.keys(), "@", rows.choice("domain", MAIL_DOMAINS)),
        "email_verified_at": values.instants(
            joined + rows.whole("verified", 30, 90_000) * 1_000_000, rows.nulls("verified", 0.2)
        ),
        "first_name": first,
        "last_name": last,
        "display_name": join(first, " ", last),
        "birth_date": values.dates(rows.whole("birth_date", -12_000, 13_500), rows.nulls("birth_date", 0.35)),
        "gender": rows.choice("gender", ["female", "male", "diverse"], (49, 49, 2), nulls=0.4),
        "phone": rows.maybe("phone", join("+49 30 23125 ", values.integers(rows.whole("extension", 100, 999))), 0.6),
        "password_hash": rows.blobs("password_hash"),
        "preferred_language": language_codes(draw_languages(rows)),
        "country_id": values.integers(_CITY_COUNTRY_IDS[city], rows.nulls("country_id", 0.05)),
        "city_id": values.integers(city + 1, ~has_city),
        "timezone": take(_CITY_TIMEZONES, city, ~has_city),
        "registration_source": rows.choice(
            "registration_source", ["web", "app", "newsletter", "event", "import"], nulls=0.05
        ),
        "referred_by_user_id": rows.earlier("referred_by_user_id", nulls=0.85),
        "is_active": rows.flags("is_active", 0.92),
        "is_newsletter_subscriber": rows.flags("is_newsletter_subscriber", 0.38),
        "marketing_score": rows.decimals("marketing_score", 0, 100, 3, nulls=0.3),
        "interests": rows.choice("interests", _INTERESTS, nulls=0.2),
        "preferences": rows.maybe("preferences", json_objects(preferences), 0.25),
        "last_login_at": values.instants(seen, rows.nulls("last_login_at", 0.15)),
        "last_login_ip": rows.addresses("last_login_ip", nulls=0.15),
        **rows.stamps(joined),
    }


def user_accounts(rows: Rows) -> Columns:
    """One account a user first, then second ones: (user_id, brand_id, account_type) never repeats in clean data."""
    user_count, brand_count = rows.world.total("users"), rows.world.total("brands")
    user, second = rows.index % user_count, rows.index // user_count
    started = rows.past(4.0)
    day = rows.days_of(started)
    return {
        "user_account_id": rows.keys(),
        "user_id": values.integers(user + 1),
        "brand_id": values.integers(_account_brand(user, second, brand_count) + 1),
        "account_type": rows.choice(
            "account_type", ["free", "trial", "digital", "print", "premium", "corporate"], (52, 8, 22, 9, 7, 2)
        ),
        "provider": rows.choice("provider", ["password", "google", "apple", "facebook", "sso"], (60, 20, 14, 4, 2)),
        "provider_subject": rows.maybe("provider_subject", join("sub-", values.hex_text(rows.bits("subject"))), 0.5),
        "status": rows.choice("status", ["active", "paused", "past_due", "cancelled", "expired"], (78, 3, 3, 10, 6)),
        "plan_code": rows.choice("plan_code", ["M-DIGI", "Y-DIGI", "M-PLUS", "Y-PLUS", "WEEKEND"], nulls=0.5),
        "balance_eur": rows.decimals("balance_eur", -40, 120, 2),
        "loyalty_points": rows.amounts("loyalty_points", 180),
        "billing_country_id": rows.parents("countries", "billing_country_id", nulls=0.4, power=3),
        "billing_day": rows.numbers("billing_day", 1, 28, nulls=0.4),
        "started_on": values.dates(day),
        "ends_on": values.dates(day + rows.whole("ends_on", 30, 1_500), rows.nulls("ends_on", 0.7)),
        "payment_token": rows.blobs("payment_token", 2, nulls=0.5),
        **rows.stamps(started),
    }


def _account_brand(user: Whole, second: Whole, brand_count: int) -> Whole:
    return (user * 13 + second) % brand_count


def device_types(rows: Rows) -> Columns:
    names = ("code", "name", "form_factor", "default_width", "default_height", "is_touch", "is_mobile")
    return {"device_type_id": rows.keys(), **_catalogue(rows, names, DEVICE_TYPES), **rows.stamps(rows.past())}


def operating_systems(rows: Rows) -> Columns:
    names = ("name", "version", "vendor", "family", "released_on", "end_of_life_on", "market_share", "is_mobile")
    return {
        "operating_system_id": rows.keys(),
        **_catalogue(rows, names, OPERATING_SYSTEMS),
        **rows.stamps(rows.past()),
    }


def browsers(rows: Rows) -> Columns:
    names = ("name", "version", "engine", "vendor", "released_on", "is_mobile")
    capabilities = {"webp": rows.flags("webp", 0.95), "avif": rows.flags("avif", 0.7), "push": rows.flags("push", 0.8)}
    return {
        "browser_id": rows.keys(),
        **_catalogue(rows, names, BROWSERS),
        "capabilities": rows.maybe("capabilities", json_objects(capabilities), 0.2),
        **rows.stamps(rows.past()),
    }


def _catalogue(rows: Rows, names: tuple[str, ...], entries: tuple[tuple[object, ...], ...]) -> Columns:
    return {name: pa.array([entries[row][place] for row in rows.index]) for place, name in enumerate(names)}


BUILDERS = {
    "countries": countries, "companies": companies, "brands": brands, "brand_countries": brand_countries,
    "cities": cities, "categories": categories, "users": users, "user_accounts": user_accounts,
    "device_types": device_types, "operating_systems": operating_systems, "browsers": browsers,
}  # fmt: skip
