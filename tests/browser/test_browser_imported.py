"""Old readings on a device's page: out of every range that ends now, and one click away."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from seawall.model.installation import Settings, StatePaths
from seawall.operations.import_readings import ImportedReadings, ReadingsOrder, import_readings
from seawall.operations.installation import Installation
from seawall.pki.keystore import Keystore
from seawall.testing.web_stage import WebStage
from seawall.transfer.options import InputOptions
from seawall.transfer.readings.mapping import Wanted
from seawall.transfer.readings.rows import Table
from seawall.transfer.sources import Source

pytestmark = pytest.mark.browser


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def stage(tmp_path: Path, repository: Path) -> WebStage:
    """A year of San Francisco, imported."""
    stage = WebStage(now_ms)
    keystore = Keystore(tmp_path / "pki")
    paths = StatePaths(tmp_path)
    installation = Installation(paths, Settings(), stage.store, keystore, now_ms, "test")
    Keystore.create(tmp_path / "pki", ("localhost",), installation.now(), None)
    source = Source([str(repository / "examples" / "data" / "sf-temps.csv")])
    table = Table(source.inputs(), InputOptions(type="csv", headerline=True))
    order = ReadingsOrder(Wanted(device="sf", time_field="date", metrics=("temp:degF",)))
    import_readings(installation, table, order, ImportedReadings())
    return stage


def test_all_shows_the_past(stage, serve, new_page, sign_in_page, device_page, screenshot):
    site = serve(stage)
    page = new_page(width=1360)
    sign_in_page(page, site.url).open("/devices/sf").sign_in()
    expect(page.locator("#chart-empty")).to_be_visible()

    page.locator(".ranges").get_by_role("link", name="All").click()

    device_page(page).wait_until_drawn()
    expect(page.locator("#chart-empty")).to_be_hidden()
    expect(page.locator("#chart-note")).to_have_text(re.compile(r"8.759 readings"))
    expect(page.locator('[data-extreme="min"]')).to_have_text(re.compile(r"7\.6"))
    expect(page.locator("#zoom-out")).to_be_visible()
    screenshot(page, "device-imported")
