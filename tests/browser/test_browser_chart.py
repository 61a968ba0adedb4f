"""The chart: gaps stay gaps, spans have bands, what is live moves, a young device fills it."""

from __future__ import annotations

import math
import re
import time

import pytest
from playwright.sync_api import expect

from seawall.testing.web_stage import WebStage

pytestmark = pytest.mark.browser


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def long_stage() -> WebStage:
    """Six hours, a reading every ten seconds, one hour missing."""
    stage = WebStage(now_ms)
    stage.add_device("roof", interval_ms=10_000)
    end_ms = now_ms()
    for place in range(2150, 0, -1):
        if not 900 <= place < 1260:
            at_ms = end_ms - place * 10_000
            ripple = 0.5 * math.sin(place * 1.7) + 0.3 * math.sin(place / 7)
            temp = round(18 + 5 * math.sin(place / 340) + ripple, 2)
            stage.keep("roof", at_ms, {"temp": temp})
    stage.connect("roof")
    return stage


def test_spans_have_bands_and_gaps_stay_gaps(
    long_stage, serve, new_page, sign_in_page, device_page, screenshot
):
    site = serve(long_stage)
    page = new_page(width=1360)
    sign_in_page(page, site.url).open("/devices/roof?range=6h").sign_in()
    device = device_page(page).wait_until_drawn()
    note = page.locator("#chart-note")
    expect(note).to_have_text(re.compile(r"1.790 readings; line: mean of 27 s, band: lowest to"))
    box = device.chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 100)
    expect(page.locator(".tip")).to_contain_text("readings")
    assert has_ink(page, 0.3)
    assert not has_ink(page, 0.53)
    assert has_ink(page, 0.8)
    screenshot(page, "device-6h")


def has_ink(page, share: float) -> bool:
    """Tell whether a column of the chart's canvas has the colour of the line."""
    return page.evaluate(
        """(share) => {
          const canvas = document.querySelector("#chart canvas");
          const over = document.querySelector("#chart .u-over").getBoundingClientRect();
          const left = over.left - canvas.getBoundingClientRect().left + over.width * share;
          const x = Math.round(left * devicePixelRatio);
          const pixels = canvas.getContext("2d").getImageData(x, 0, 1, canvas.height).data;
          for (let at = 0; at < pixels.length; at += 4) {
            const [red, green, blue, alpha] = pixels.slice(at, at + 4);
            if (alpha > 200 && red < 60 && green > 80 && blue > 90) return true;
          }
          return false;
        }""",
        share,
    )


def test_a_new_device_comes_alive(serve, new_page, sign_in_page, device_page, screenshot):
    stage = WebStage(now_ms)
    stage.add_device("newborn", interval_ms=1000)
    site = serve(stage)
    page = new_page()
    sign_in_page(page, site.url).open("/devices/newborn").sign_in()
    expect(page.locator("#live")).to_have_text(re.compile("Live"))
    expect(page.locator("#chart-empty")).to_be_visible()
    expect(page.locator(".now .state-word")).to_have_text("Waiting")
    site.do(stage.connect, "newborn")
    for temp in (20.0, 20.5, 21.0):
        site.do(stage.send, "newborn", temp=temp)
        expect(page.locator("#newest")).to_have_text(f"{temp:.1f} °C")
    device_page(page).wait_until_drawn()
    expect(page.locator(".now .state-word")).to_have_text("Online")
    expect(page.locator('[data-slot="stored"]')).to_have_text("3")
    expect(page.locator("#readings tr")).to_have_count(3)
    expect(page.locator('[data-extreme="max"]')).to_have_text("21.0 °C")
    page.get_by_role("button", name="Fahrenheit").click()
    expect(page.locator('[data-extreme="max"]')).to_have_text("69.8 °F")
    expect(page.locator("#chart")).to_have_attribute("aria-label", re.compile("highest 69.8 °F"))


def test_devices_that_appear_later_are_shown(serve, new_page, sign_in_page, fleet_page):
    stage = WebStage(now_ms)
    site = serve(stage)
    page = new_page()
    sign_in_page(page, site.url).open().sign_in()
    fleet = fleet_page(page).wait_until_live()
    expect(page.get_by_text("No device yet.")).to_be_visible()
    site.do(stage.add_device, "latecomer")
    expect(fleet.row("latecomer")).to_be_visible(timeout=15_000)
