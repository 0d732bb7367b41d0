"""Domain company: departments, employees, what they tell each other and how it is read."""

from __future__ import annotations

import numpy as np

from etl.sample import values
from etl.sample.draw import Whole
from etl.sample.prose import draw_languages, headlines, language_codes, paragraphs, sentence
from etl.sample.rows import SECOND, Rows
from etl.sample.values import (
    MICROSECONDS_A_DAY,
    Columns,
    array_pool,
    fixed_length_integers,
    join,
    json_objects,
    raw_json,
    take,
    words,
)
from etl.sample.vocabulary.people import DEPARTMENTS, FIRST_NAMES, JOB_TITLES, LAST_NAMES, MAIL_NAMES, SKILLS

CHANNELS = ("intranet", "newsletter", "chat", "email", "video", "app_push")
VIEWS_BY_HOUR = fixed_length_integers(24, 0, 60)
_FLOORS = array_pool([0, 1, 2, 3, 4, 7, 12])
_SKILLS = array_pool(SKILLS)
_AUDIENCES = array_pool(["all", "newsroom", "tech", "sales", "managers", "Volontariat", "Paris"])
_CHANNELS = array_pool(CHANNELS)


def company_departments(rows: Rows) -> Columns:
    """Department n belongs to company n modulo the number of companies, and so does its parent."""
    company_count = rows.world.total("companies")
    parent = rows.index - company_count * rows.whole("parent", 1, 4)
    employees = rows.world.total("company_employees")
    return {
        "department_id": rows.keys(),
        "company_id": values.integers(rows.index % company_count + 1),
        "parent_department_id": values.integers(parent + 1, parent < 0),
        "head_employee_id": values.integers(rows.index + 1, (rows.index >= employees) | rows.chance("head", 0.1)),
        "code": join("D", values.integers(rows.index + 100)),
        "name": rows.choice("name", DEPARTMENTS),
        "city_id": rows.parents("cities", "city_id", nulls=0.1, power=2),
        "cost_center": rows.maybe("cost_center", join("CC-", values.integers(4_000 + rows.index)), 0.1),
        "budget_eur": rows.money("budget_eur", 900_000, nulls=0.1),
        "headcount": rows.numbers("headcount", 1, 90, nulls=0.05),
        "floor_numbers": rows.choice("floor_numbers", _FLOORS, nulls=0.2),
        "email": rows.maybe("email", join("department-", rows.keys(), "@example.com"), 0.2),
        "established_on": values.dates(rows.whole("established_on", 3_000, 18_000), rows.nulls("established_on", 0.2)),
        "is_active": rows.flags("is_active", 0.95),
        **rows.stamps(rows.past()),
    }


def company_employees(rows: Rows) -> Columns:
    """Employee n works in department n modulo their number, hence in that department's company."""
    department = rows.index % rows.world.total("company_departments")
    hired = rows.past(9.0)
    day = rows.days_of(hired)
    contact = {
        "name": rows.choice("contact", FIRST_NAMES),
        "phone": rows.choice("contact_phone", ["+49 40 66969 123", "112"]),
    }
    return {
        "employee_id": rows.keys(),
        "company_id": values.integers(department % rows.world.total("companies") + 1),
        "department_id": values.integers(department + 1),
        "manager_id": rows.earlier("manager_id", nulls=0.05),
        "employee_number": join("P", values.integers(10_000 + rows.index)),
        "first_name": rows.choice("first_name", FIRST_NAMES),
        "last_name": rows.choice("last_name", LAST_NAMES),
        "work_email": join(rows.choice("email", MAIL_NAMES), ".", rows.keys(), "@staff.example.com"),
        "phone": rows.maybe("phone", join("+49 30 23125 ", values.integers(rows.whole("extension", 100, 999))), 0.3),
        "birth_date": values.dates(rows.whole("birth_date", -4_000, 12_500), rows.nulls("birth_date", 0.1)),
        "job_title": rows.choice("job_title", JOB_TITLES),
        "employment_type": rows.choice(
            "employment_type", ["full_time", "part_time", "freelance", "trainee", "intern"], (62, 20, 10, 5, 3)
        ),
        "hire_date": values.dates(day),
        "termination_date": values.dates(day + rows.whole("termination", 90, 3_000), rows.nulls("termination", 0.9)),
        "salary_eur": rows.decimals("salary_eur", 24_000, 138_000, 2, nulls=0.1),
        "weekly_hours": rows.decimals("weekly_hours", 15, 40, 1, nulls=0.1),
        "office_city_id": rows.parents("cities", "office_city_id", nulls=0.15, power=2),
        "skills": rows.choice("skills", _SKILLS, nulls=0.1),
        "emergency_contact": rows.maybe("emergency_contact", json_objects(contact), 0.4),
        "badge_uid": rows.blobs("badge_uid", 1, nulls=0.2),
        "is_remote": rows.flags("is_remote", 0.3),
        **rows.stamps(hired),
    }


def company_internal_content(rows: Rows) -> Columns:
    created = rows.moments()
    languages = draw_languages(rows)
    author = rows.skewed("author", rows.world.total("company_employees"), 2.0)
    department = author % rows.world.total("company_departments")
    attachments = {
        "files": rows.numbers("files", 0, 4),
        "names": raw_json(rows.choice("names", ['["plan.pdf"]', "[]"])),
    }
    return {
        "content_id": rows.keys(),
        "company_id": values.integers(department % rows.world.total("companies") + 1),
        "department_id": values.integers(department + 1, rows.nulls("department_id", 0.1)),
        "author_employee_id": values.integers(author + 1),
        "title": headlines(rows, "title", languages),
        "body": rows.maybe("body", paragraphs(rows, "body", languages, 2), 0.05),
        "content_type": rows.choice(
            "content_type", ["announcement", "policy", "newsletter", "training", "event", "survey"]
        ),
        "status": rows.choice("status", ["draft", "published", "archived"], (1, 8, 1)),
        "language": language_codes(languages),
        "audience": rows.choice("audience", _AUDIENCES, nulls=0.2),
        "priority": rows.numbers("priority", 1, 5),
        "requires_acknowledgement": rows.flags("requires_acknowledgement", 0.2),
        "attachments": rows.maybe("attachments", json_objects(attachments), 0.5),
        "published_at": values.instants(rows.later("published_at", created, 7_200), rows.nulls("published_at", 0.1)),
        "expires_on": values.dates(
            rows.days_of(created) + rows.whole("expires_on", 7, 400), rows.nulls("expires_on", 0.5)
        ),
        **rows.stamps(created),
    }


def company_content_performance(rows: Rows) -> Columns:
    day, place = rows.day_and_place()
    content = rows.world.existing("company_internal_content", day * MICROSECONDS_A_DAY) - 1 - place
    views = rows.exponential("views", 70).astype(np.int64)
    readers = (views * rows.between("readers", 0.5, 1)).astype(np.int64)
    return {
        "content_id": values.integers(content + 1),
        "date": values.dates(day),
        "views": values.integers(views),
        "unique_readers": values.integers(readers),
        "acknowledgements": rows.amounts("acknowledgements", 4),
        "comments": rows.amounts("comments", 2),
        "shares": rows.amounts("shares", 1),
        "read_rate": rows.decimals("read_rate", 0, 1, 4, nulls=0.05),
        "average_read_seconds": rows.decimals("average_read_seconds", 3, 240, 2, nulls=0.05),
        "views_by_hour": rows.choice("views_by_hour", VIEWS_BY_HOUR, nulls=0.1),
        "reactions": json_objects({"like": rows.amounts("like", 6), "❤": rows.amounts("heart", 2)}),
        **figures_stamps(rows, day),
    }


def figures_stamps(rows: Rows, day: Whole) -> Columns:
    """Figures of a day are written shortly before midnight (UTC) and corrected in the days after."""
    created = (day + 1) * MICROSECONDS_A_DAY - rows.whole("written", 60, 3_000) * SECOND
    return rows.stamps(created, share=0.3)


def company_department_performance(rows: Rows) -> Columns:
    day, place = rows.day_and_place()
    kpis = {"on_time": rows.decimals("on_time", 0, 1, 3), "nps": rows.numbers("nps", -100, 100, nulls=0.1)}
    return {
        "department_id": values.integers(rows.entities_of_day(day, place, rows.world.total("company_departments")) + 1),
        "date": values.dates(day),
        "active_employees": rows.numbers("active_employees", 0, 80),
        "content_published": rows.amounts("content_published", 2),
        "tasks_completed": rows.amounts("tasks_completed", 25),
        "tickets_open": rows.amounts("tickets_open", 9),
        "average_engagement": rows.decimals("average_engagement", 0, 1, 9, nulls=0.05),
        "overtime_hours": rows.money("overtime_hours", 8),
        "absence_rate": rows.decimals("absence_rate", 0, 0.3, 4, nulls=0.05),
        "budget_spent_eur": rows.money("budget_spent_eur", 2_400, nulls=0.1),
        "kpis": json_objects(kpis),
        **figures_stamps(rows, day),
    }


def company_content_events(rows: Rows) -> Columns:
    created = rows.moments()
    happened = rows.happened(created)
    languages = draw_languages(rows)
    return {
        "event_id": rows.keys(),
        "content_id": rows.recent("company_internal_content", "content_id", happened),
        "employee_id": rows.parents("company_employees", "employee_id", nulls=0.03, power=1.5),
        "event_type": rows.choice(
            "event_type",
            ["view", "read_complete", "like", "comment", "share", "acknowledge", "download"],
            (60, 15, 10, 3, 2, 6, 4),
        ),
        "event_date": values.dates(rows.days_of(happened)),
        "event_timestamp": values.instants(happened),
        "device_type_id": rows.parents("device_types", "device_type_id", nulls=0.05, power=2),
        "duration_seconds": rows.amounts("duration_seconds", 45, nulls=0.2),
        "rating": rows.numbers("rating", 1, 5, nulls=0.85),
        "comment_text": rows.maybe("comment_text", sentence(rows, "comment", languages), 0.93),
        "ip_address": rows.addresses("ip_address", nulls=0.1),
        "properties": rows.maybe("properties", json_objects({"via": rows.choice("via", CHANNELS)}), 0.3),
        "created_at": values.instants(created),
    }


def company_employee_engagement(rows: Rows) -> Columns:
    day, place = rows.day_and_place()
    detail = {"meetings": rows.numbers("meetings", 0, 7), "focus_minutes": rows.numbers("focus", 0, 300, nulls=0.1)}
    return {
        "employee_id": values.integers(rows.entities_of_day(day, place, rows.world.total("company_employees")) + 1),
        "date": values.dates(day),
        "logins": rows.numbers("logins", 0, 6),
        "content_views": rows.amounts("content_views", 6),
        "reactions": rows.amounts("reactions", 1.5),
        "comments": rows.amounts("comments", 0.7),
        "active_minutes": rows.amounts("active_minutes", 160),
        "mood": rows.numbers("mood", 1, 5, nulls=0.6),
        "engagement_score": rows.decimals("engagement_score", 0, 1, 4, nulls=0.05),
        "channels": rows.choice("channels", _CHANNELS, nulls=0.1),
        "detail": rows.maybe("detail", json_objects(detail), 0.3),
        **figures_stamps(rows, day),
    }


def company_communications_analytics(rows: Rows) -> Columns:
    day, place = rows.day_and_place()
    pair = rows.entities_of_day(day, place, rows.world.total("companies") * len(CHANNELS))
    sent = 20 + rows.exponential("messages_sent", 900).astype(np.int64)
    delivered = (sent * rows.between("delivered", 0.9, 1)).astype(np.int64)
    opened = (delivered * rows.between("opened", 0.1, 0.8)).astype(np.int64)
    languages = {
        "de": rows.decimals("de", 0, 1, 2),
        "en": rows.decimals("en", 0, 1, 2),
        "fr": rows.decimals("fr", 0, 1, 2),
    }
    return {
        "company_id": values.integers(pair // len(CHANNELS) + 1),
        "channel": take(words(CHANNELS), pair % len(CHANNELS)),
        "date": values.dates(day),
        "messages_sent": values.integers(sent),
        "delivered": values.integers(delivered),
        "opened": values.integers(opened),
        "clicked": values.integers((opened * rows.between("clicked", 0, 0.4)).astype(np.int64)),
        "bounced": values.integers(sent - delivered),
        "unsubscribes": rows.amounts("unsubscribes", 0.8),
        "open_rate": values.decimals(opened / np.maximum(delivered, 1), 4),
        "average_response_minutes": rows.decimals("average_response_minutes", 1, 600, 6, nulls=0.2),
        "peak_hours": rows.choice("peak_hours", array_pool([7, 8, 9, 12, 17, 20, 21]), nulls=0.1),
        "languages": json_objects(languages),
        **figures_stamps(rows, day),
    }


BUILDERS = {
    "company_departments": company_departments, "company_employees": company_employees,
    "company_internal_content": company_internal_content, "company_content_performance": company_content_performance,
    "company_department_performance": company_department_performance, "company_content_events": company_content_events,
    "company_employee_engagement": company_employee_engagement,
    "company_communications_analytics": company_communications_analytics,
}  # fmt: skip
