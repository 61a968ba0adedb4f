"""The whole of it in a browser: `seawall up`, real devices, and an attack, watched by a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from playwright.sync_api import expect

from seawall.testing.daemon_process import DaemonProcess, make_installation
from seawall.testing.device_process import find_runtime
from seawall.testing.fleet import Fleet

pytestmark = [pytest.mark.browser, pytest.mark.system]

PASSWORD = "correct horse battery staple"
NAMES = ("greenhouse", "cellar", "roof", "workshop")


class Scene:
    """A running installation with devices; one of them is tampered with."""

    def __init__(self, url: str, certificate: x509.Certificate, fleet: Fleet) -> None:
        self.url = url
        self.certificate = certificate
        self.fleet = fleet


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    installation = make_installation(tmp_path / "state", password=PASSWORD)
    daemon = DaemonProcess(tmp_path / "state", tmp_path / "daemon.log")
    daemon.start()
    running = daemon.wait_ready()
    fleet = Fleet(installation, tmp_path / "devices", find_runtime())
    fleet.folder.mkdir()
    for name in NAMES:
        fleet.add(name)
    fleet.add("changed-on-the-way", attack="tamper")
    fleet.start(NAMES)
    certificate_path, _ = installation.keystore.web_paths()
    certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    yield Scene(running["url"].rstrip("/"), certificate, fleet)
    fleet.stop()
    installation.store.close()
    assert daemon.stop() == 0, daemon.log()


def test_a_person_watches_first_light(
    scene, open_chromium, spki_pin_of, sign_in_page, fleet_page, device_page, screenshot
):
    browser = open_chromium(spki_pin_of(scene.certificate))
    context = browser.new_context(viewport={"width": 1360, "height": 900}, locale="en-GB")
    page = context.new_page()
    sign_in_page(page, scene.url).open().sign_in(password=PASSWORD)
    fleet = fleet_page(page).wait_until_live()
    expect(fleet.rows).to_have_count(5)
    for name in NAMES:
        expect(fleet.state(name)).to_have_text("Online")
        expect(fleet.value(name)).to_contain_text("°C")

    page.evaluate("window.notReloaded = true")
    before = fleet.value("greenhouse").inner_text()
    expect(fleet.value("greenhouse")).not_to_have_text(before)

    fleet.choose_unit("Fahrenheit")
    expect(fleet.value("greenhouse")).to_contain_text("°F")

    scene.fleet.start(["changed-on-the-way"])
    card = fleet.refusals.first
    expect(card).to_contain_text("Signature does not match")
    expect(card).to_contain_text("changed-on-the-way")
    assert page.evaluate("window.notReloaded") is True
    screenshot(page, "end-to-end-fleet")

    fleet.row("greenhouse").get_by_role("link").click()
    device = device_page(page).wait_until_drawn()
    expect(device.newest).to_contain_text("°F")
    screenshot(page, "end-to-end-device")
    context.close()
