"""What people see and do, in a real Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from seawall.model.reading import Reason

pytestmark = pytest.mark.browser

LOOKS = [
    pytest.param({"width": 1360}, id="light"),
    pytest.param({"width": 1360, "dark": True}, id="dark"),
    pytest.param({"width": 390, "height": 844}, id="phone"),
    pytest.param({"width": 390, "height": 844, "dark": True}, id="phone-dark"),
]


def test_first_light(new_page, site, sign_in_page, fleet_page, screenshot):
    page = new_page()
    sign_in_page(page, site.url).open().sign_in()
    fleet = fleet_page(page).wait_until_live()
    expect(fleet.rows).to_have_count(5)

    site.do(site.stage.send, "roof", temp=21.4, raw=533)
    expect(fleet.value("roof")).to_have_text("21.4 °C")
    page.evaluate("window.notReloaded = true")
    site.do(site.stage.send, "roof", temp=-5.25, raw=533)
    expect(fleet.value("roof")).to_have_text("\N{MINUS SIGN}5.3 °C")

    fleet.choose_unit("Fahrenheit")
    expect(fleet.value("roof")).to_have_text("22.5 °F")

    site.do(site.stage.refuse, "greenhouse-1", Reason.BAD_SIGNATURE)
    card = fleet.refusals.first
    expect(card).to_contain_text("Signature does not match")
    expect(card).to_contain_text("changed on the way, or signed with another key")
    expect(card).to_contain_text("greenhouse-1")
    expect(fleet.row("greenhouse-1").locator(".badge")).to_contain_text("1")
    expect(fleet.figure("refused")).to_have_text("1")
    assert page.evaluate("window.notReloaded") is True
    screenshot(page, "first-light")


def test_unit_is_remembered_on_the_device_page(signed_in, site, fleet_page, device_page):
    page = signed_in()
    fleet = fleet_page(page).wait_until_live()
    fleet.choose_unit("Fahrenheit")
    fleet.row("roof").get_by_role("link").click()
    device = device_page(page).wait_until_drawn()
    site.do(site.stage.send, "roof", temp=20.0)
    expect(device.newest).to_have_text("68.0 °F")
    page.reload()
    expect(device.newest).to_have_text("68.0 °F")
    page.get_by_role("button", name="Celsius").click()
    expect(device.newest).to_have_text("20.0 °C")


@pytest.mark.parametrize("look", LOOKS)
def test_fleet_is_accessible(look, request, signed_in, site, fleet_page, violations, screenshot):
    page = signed_in(**look)
    fleet = fleet_page(page).wait_until_live()
    for device_id, temp in (("roof", 21.4), ("greenhouse-1", 14.2), ("cold-store", 4.1)):
        site.do(site.stage.send, device_id, temp=temp)
    site.do(site.stage.connect, "greenhouse-2", online=False)
    site.do(site.stage.refuse, "cold-store", Reason.REPLAY, "boot 1, seq 7 was accepted before")
    site.do(site.stage.refuse, None, Reason.UNKNOWN_DEVICE, "no such device")
    for _ in range(3):
        site.do(site.stage.refuse, "greenhouse-1", Reason.BAD_SIGNATURE)
    expect(fleet.refusals.first).to_contain_text("3 times")
    expect(fleet.state("greenhouse-2")).to_have_text("Offline")
    expect(page.locator("#devices .pulse svg").first).to_be_visible()
    expect(page.locator(".is-struck")).to_have_count(0)
    assert violations(page) == []
    screenshot(page, f"fleet-{request.node.callspec.id}")


@pytest.mark.parametrize("look", LOOKS)
def test_device_is_accessible(look, request, signed_in, site, device_page, violations, screenshot):
    page = signed_in("/devices/greenhouse-1", **look)
    device = device_page(page).wait_until_drawn()
    for temp in (14.2, 14.3, 14.4):
        site.do(site.stage.send, "greenhouse-1", temp=temp)
    site.do(site.stage.refuse, "greenhouse-1", Reason.BAD_SIGNATURE)
    expect(device.newest).to_have_text("14.4 °C")
    expect(page.locator(".refusal")).to_have_count(1)
    expect(page.locator('[data-extreme="max"]')).to_contain_text("°C")
    assert violations(page) == []
    screenshot(page, f"device-{request.node.callspec.id}")


def test_other_pages_are_accessible(new_page, site, sign_in_page, violations, screenshot):
    page = new_page()
    form = sign_in_page(page, site.url).open("/refusals")
    assert violations(page) == []
    screenshot(page, "sign-in")
    form.sign_in(password="not it")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is not right.")
    assert violations(page) == []
    for reason in Reason:
        site.do(site.stage.refuse, "roof", reason)
    form.sign_in()
    expect(page.get_by_role("heading", name="Refused messages")).to_be_visible()
    page.get_by_text("What was sent").first.click()
    expect(page.locator("pre").first).to_contain_text('"temp":99.9')
    assert violations(page) == []
    screenshot(page, "refusals")
    page.locator("details.menu summary").click()
    assert violations(page) == []
    screenshot(page, "menu")
    page.goto(site.url + "/devices/nobody")
    expect(page.get_by_role("heading", name="Not Found")).to_be_visible()
    assert violations(page) == []


def test_search_and_keys(signed_in, site, fleet_page):
    page = signed_in()
    fleet = fleet_page(page).wait_until_live()
    page.keyboard.press("/")
    page.keyboard.type("GREEN")
    assert fleet.device_ids() == ["greenhouse-1", "greenhouse-2"]
    page.keyboard.press("Escape")
    expect(fleet.row("roof")).to_be_visible()
    order = fleet.device_ids()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}/devices/{order[1]}")


def test_worst_comes_first(signed_in, site, fleet_page):
    page = signed_in()
    fleet = fleet_page(page).wait_until_live()
    page.mouse.move(2, 2)
    site.do(site.stage.connect, "roof", online=False)
    expect(fleet.state("roof")).to_have_text("Offline")
    expect(fleet.rows.first).to_have_attribute("data-device", "roof", timeout=10_000)
    site.do(site.stage.refuse, "cold-store")
    expect(fleet.rows.first).to_have_attribute("data-device", "cold-store", timeout=10_000)


def test_range_and_zoom_stand_in_the_address(signed_in, site, device_page):
    page = signed_in("/devices/roof")
    device = device_page(page).wait_until_drawn()
    expect(page.locator('[data-range="15m"]')).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="6 hours").click()
    expect(page).to_have_url(re.compile(r"range=6h"))
    box = device.chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 90, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"since=\d+&until=\d+"))
    leave = page.get_by_role("button", name="Leave zoom")
    expect(leave).to_be_visible()
    zoomed = page.url
    page.reload()
    expect(leave).to_be_visible()
    assert page.url == zoomed
    leave.click()
    expect(page).not_to_have_url(re.compile("since="))
    page.go_back()
    expect(leave).to_be_visible()


def test_times_in_utc(signed_in, device_page):
    page = signed_in("/devices/roof")
    device_page(page).wait_until_drawn()
    first = page.locator("#readings time").first
    moment = int(first.get_attribute("data-moment"))
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="UTC").click()
    hours = moment // 3_600_000 % 24
    expect(first).to_have_text(re.compile(rf"{hours:02d}:\d\d:\d\d UTC"))


def test_connection_lost_and_found(new_page, serve, site, sign_in_page, fleet_page):
    page = new_page()
    sign_in_page(page, site.url).open().sign_in()
    fleet = fleet_page(page).wait_until_live()
    site.stop()
    expect(fleet.live).to_have_text(re.compile("Reconnecting"))
    site.stage.refuse("roof", Reason.REPLAY)
    site.stage.keep("roof", site.stage.now_ms(), {"temp": 30.5})
    again = serve(site.stage, site.port)
    expect(fleet.live).to_have_text(re.compile("Live"), timeout=20_000)
    expect(fleet.value("roof")).to_have_text("30.5 °C")
    expect(fleet.refusals.first).to_contain_text("Seen before")
    again.stop()
    site.start = lambda: None
    site.stop = lambda: None


def test_signing_out_elsewhere_ends_the_live_page(signed_in, fleet_page):
    page = signed_in()
    fleet_page(page).wait_until_live()
    other = page.context.new_page()
    other.goto(page.url)
    other.locator("details.menu summary").click()
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_policy_forbids_inline_scripts_and_html(signed_in, complaints):
    page = signed_in()
    assert page.evaluate("typeof window.injected") == "undefined"
    refused = page.evaluate(
        """() => {
          try { document.body.innerHTML = "<p>x</p>"; return "done"; }
          catch (error) { return error.name; }
        }"""
    )
    assert refused == "TypeError"
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          try { script.textContent = "window.injected = true"; document.body.append(script); }
          catch (error) { /* Trusted Types say no before the policy does */ }
        }"""
    )
    assert page.evaluate("typeof window.injected") == "undefined"
    assert all("policy" in text.lower() or "trusted" in text.lower() for text in complaints.texts)
    complaints.texts.clear()
