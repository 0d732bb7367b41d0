"""What stands on the page, in the words of those who look at it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import BrowserContext, Locator, Page, expect

HOME = "/etl/data-loader"
LARGE_TABLE = "treegrid"


class Screen:
    """A tab of a browser; what is not here is found by `page`."""

    def __init__(self, page: Page) -> None:
        self.page = page

    # --- going somewhere -------------------------------------------------------------------------------------------

    def open(self, path: str = HOME) -> Screen:
        self.page.goto(path)
        return self

    def open_run(self, job: str, run_id: str, search: str = "") -> Screen:
        return self.open(f"{HOME}/{job}/{run_id}{search}")

    def another_tab(self) -> Screen:
        """Of the same browser: with its cookies."""
        return Screen(self.page.context.new_page())

    # --- Run Configuration -----------------------------------------------------------------------------------------

    @property
    def job_field(self) -> Locator:
        return self.page.get_by_role("combobox", name="ETL Job")

    @property
    def run_id_field(self) -> Locator:
        return self.page.get_by_role("textbox", name="Run ID")

    @property
    def batch_size_field(self) -> Locator:
        return self.page.get_by_role("textbox", name="Batch Size")

    @property
    def start_button(self) -> Locator:
        return self.page.get_by_role("button", name="Start Load")

    def choose_job(self, job: str) -> None:
        self.job_field.fill(job)
        self.page.locator(f'[role=option][data-key="{job}"]').click()
        expect(self.start_button).to_be_enabled()

    def configure(self, job: str, batch_size: int | None = None) -> str:
        """All but the start; the run's id."""
        if self.job_field.input_value() != job:
            self.choose_job(job)
        if batch_size is not None:
            self.batch_size_field.fill(str(batch_size))
            self.batch_size_field.press("Tab")
        return self.run_id_field.input_value()

    # --- the run ---------------------------------------------------------------------------------------------------

    @property
    def header(self) -> Locator:
        return self.page.locator("section[aria-labelledby=run-title]")

    @property
    def link_state(self) -> Locator:
        return self.header.locator("[data-link]")

    def expect_status(self, words: str) -> None:
        expect(self.header.get_by_text(words, exact=True).first).to_be_visible()

    def expect_link(self, state: str) -> None:
        expect(self.link_state).to_have_attribute("data-link", state)

    def fact(self, name: str) -> Locator:
        return self.header.locator(f'dt:text-is("{name}") + dd')

    def figure(self, name: str) -> Locator:
        """Of the metric cards."""
        return self.page.get_by_label("Metrics", exact=True).locator(f'dt:text-is("{name}") + dd')

    def expect_figures(self, **figures: object) -> None:
        """`rows_inserted=5`: Rows inserted."""
        for name, value in figures.items():
            words = name.replace("_", " ").capitalize()
            expect(self.figure(words), words).to_have_text(f"{value:,}" if isinstance(value, int) else str(value))

    def toast(self, title: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("region", name=re.compile("Notifications")).get_by_text(title, exact=True)

    def tab(self, name: str) -> Locator:
        return self.page.get_by_role("tab", name=re.compile(f"^{name}"))

    # --- batches ---------------------------------------------------------------------------------------------------

    @property
    def table(self) -> Locator:
        return self.page.get_by_role(LARGE_TABLE, name="Batches")

    @property
    def rows(self) -> Locator:
        return self.table.locator("[data-batch]")

    def batch(self, index: int) -> Locator:
        return self.table.locator(f'[data-batch="{index}"]')

    def detail_of(self, index: int) -> Locator:
        return self.table.locator(f'[data-detail-of="{index}"]')

    def cells(self, index: int) -> list[str]:
        return self.batch(index).get_by_role("gridcell").all_inner_texts()

    def shown_batches(self) -> list[int]:
        return [int(str(row.get_attribute("data-batch"))) for row in self.rows.all()]

    def show_only(self, *statuses: str) -> None:
        group = self.page.get_by_label("Show batches that are")
        for status in statuses:
            group.get_by_role("button", name=re.compile(f"^{status}")).click()

    # --- asking ----------------------------------------------------------------------------------------------------

    @property
    def dialog(self) -> Locator:
        # toasts are such, too
        return self.page.locator("section[role=alertdialog]")

    def press(self, name: str | re.Pattern[str]) -> None:
        self.page.get_by_role("button", name=name).click()

    def confirm(self, name: str) -> None:
        self.dialog.get_by_role("button", name=name, exact=True).click()
        expect(self.dialog).to_have_count(0)

    def download(self, menu: str, item: str) -> Path:
        self.press(re.compile(f"^{menu}$"))
        with self.page.expect_download() as begun:
            self.page.get_by_role("dialog", name=menu).get_by_role("link", name=item).click()
        assert begun.value.failure() is None
        return Path(begun.value.path())


def sign_in(context: BrowserContext, name: str, password: str, address: str = "/") -> None:
    """As the page does, which is spared the form. `address`: any of the page's, where the context has none itself."""
    asked, session = context.request, urljoin(address, "/api/session")
    token = asked.get(session).json()["csrf_token"]
    answer = asked.post(session, data={"name": name, "password": password}, headers={"X-CSRF-Token": token})
    assert answer.ok, answer.text()
