"""A real Chromium, the real application over TLS, and pages as objects."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import importlib.util
import ipaddress
import math
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from seawall.testing.web_stage import PASSWORD, WebStage
from seawall.web.app import create_app

T = TypeVar("T")

expect.set_options(timeout=15_000)  # other tests share the processors

FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DEVICES: Final = ("greenhouse-1", "greenhouse-2", "cold-store", "roof", "cellar")


def spki_pin(certificate: x509.Certificate) -> str:
    """Return what Chromium knows a public key by: the Base64 SHA-256 of its SPKI."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


@pytest.fixture(scope="session")
def spki_pin_of() -> Callable[[x509.Certificate], str]:
    """Return `spki_pin`, for tests that bring a certificate of their own."""
    return spki_pin


@dataclass(frozen=True)
class MintedCertificate:
    """A self-signed certificate of this run, for localhost."""

    cert: Path
    key: Path
    pin: str


@pytest.fixture(scope="session")
def minted_certificate(tmp_path_factory: pytest.TempPathFactory) -> MintedCertificate:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return MintedCertificate(cert_path, key_path, spki_pin(certificate))


@pytest.fixture(scope="session")
def open_chromium(program: Callable[[str], str]) -> Iterator[Callable[..., Browser]]:
    """Return a function that starts Chromium: ``open_chromium(pin, ...)``.

    It accepts exactly the certificates with these public keys (see `spki_pin`).
    """
    with sync_playwright() as playwright:
        browsers: list[Browser] = []

        def launch(*pins: str) -> Browser:
            flag = f"--ignore-certificate-errors-spki-list={','.join(pins)}"
            browser = playwright.chromium.launch(
                executable_path=program("chromium"), args=[*FLAGS, flag]
            )
            browsers.append(browser)
            return browser

        yield launch
        for browser in browsers:
            browser.close()


@pytest.fixture(scope="session")
def chromium(
    open_chromium: Callable[..., Browser], minted_certificate: MintedCertificate
) -> Browser:
    return open_chromium(minted_certificate.pin)


# The application, on a thread with a loop of its own


class Site:
    """The application at an address, and the stage behind it."""

    def __init__(self, stage: WebStage, certificate: MintedCertificate, port: int = 0) -> None:
        self.stage = stage
        self._app = create_app(stage.services())
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"https://localhost:{self.port}"
        config = uvicorn.Config(
            self._app,
            ssl_certfile=str(certificate.cert),
            ssl_keyfile=str(certificate.key),
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="site")

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        with self._socket:
            self._loop.run_until_complete(self._server.serve([self._socket]))
        self._loop.close()

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline, "the site did not start"
            time.sleep(0.01)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._app.state.context.hub.close)
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive(), "the site did not stop"

    def do(self, verb: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call a verb of the stage on the application's loop, and return what it returns."""

        async def call() -> T:
            return verb(*arguments, **named)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _history(
    stage: WebStage, device_id: str, base: float, *, minutes: float, step_s: float
) -> None:
    end_ms = now_ms()
    steps = int(minutes * 60 / step_s)
    for place in range(steps, 0, -1):
        at_ms = end_ms - int(place * step_s * 1000)
        swing = 3 * math.sin(at_ms / 190_000 + base) + 0.4 * math.sin(at_ms / 17_000 + 2 * base)
        temp = round(base + swing, 2)
        stage.keep(device_id, at_ms, {"temp": temp, "raw": float(round(512 + temp))})


@pytest.fixture
def site(minted_certificate: MintedCertificate) -> Iterator[Site]:
    """Five devices; four have a quarter of an hour behind them, one was never heard of."""
    stage = WebStage(now_ms)
    for place, device_id in enumerate(DEVICES):
        stage.add_device(device_id, interval_ms=1000)
        if device_id != "cellar":
            _history(stage, device_id, 14.0 + 4 * place, minutes=14, step_s=2.0)
            stage.connect(device_id)
    served = Site(stage, minted_certificate)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def serve(minted_certificate: MintedCertificate) -> Iterator[Callable[..., Site]]:
    """Return a function that serves a stage of one's own, at a port if that is given."""
    sites: list[Site] = []

    def start(stage: WebStage, port: int = 0) -> Site:
        served = Site(stage, minted_certificate, port)
        served.start()
        sites.append(served)
        return served

    yield start
    for served in sites:
        if served._thread.is_alive():
            served.stop()


# What the browser complains of is a failure


class Complaints:
    """Errors of scripts, and of the Content-Security-Policy, on any page of a context."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def watch(self, context: BrowserContext) -> None:
        context.on("weberror", lambda error: self.texts.append(str(error.error)))
        context.on("console", self._heard)

    def _heard(self, message: Any) -> None:
        # A refused sign-in and a server that is away are part of what is tested.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.texts.append(message.text)


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def new_page(chromium: Browser, complaints: Complaints) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page: ``new_page(width=1280, dark=False)``."""
    contexts: list[BrowserContext] = []

    def make(width: int = 1280, height: int = 860, *, dark: bool = False, **more: Any) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            timezone_id="Europe/Vienna",
            locale="en-GB",
            reduced_motion="reduce",
            **more,
        )
        context.set_default_timeout(30_000)
        complaints.watch(context)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert complaints.texts == []


# Pages as objects


class SignInPage:
    """The sign-in form."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def open(self, path: str = "/") -> SignInPage:
        self.page.goto(self.url + path)
        return self

    def sign_in(self, name: str = "admin", password: str = PASSWORD) -> None:
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()


class FleetPage:
    """The fleet."""

    def __init__(self, page: Page) -> None:
        self.page = page
        expect(page.get_by_role("heading", name="Devices")).to_be_visible()

    @property
    def live(self) -> Any:
        return self.page.locator("#live")

    @property
    def rows(self) -> Any:
        return self.page.locator("#devices tbody tr")

    def row(self, device_id: str) -> Any:
        return self.page.locator(f'#devices tr[data-device="{device_id}"]')

    def value(self, device_id: str) -> Any:
        return self.row(device_id).locator(".cell-value")

    def state(self, device_id: str) -> Any:
        return self.row(device_id).locator(".state-word")

    def figure(self, name: str) -> Any:
        return self.page.locator(f'#summary [data-figure="{name}"]').first

    @property
    def refusals(self) -> Any:
        return self.page.locator(".refusals .refusal")

    def device_ids(self) -> list[str]:
        return [row.get_attribute("data-device") for row in self.rows.all() if row.is_visible()]

    def choose_unit(self, name: str) -> None:
        self.page.get_by_role("button", name=name).click()

    def wait_until_live(self) -> FleetPage:
        expect(self.live).to_have_text(re.compile("Live"))
        return self


class DevicePage:
    """One device."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def newest(self) -> Any:
        return self.page.locator("#newest")

    @property
    def chart(self) -> Any:
        return self.page.locator("#chart")

    def wait_until_drawn(self) -> DevicePage:
        expect(self.page.locator("#chart .u-over")).to_be_visible()
        expect(self.page.locator("#live")).to_have_text(re.compile("Live"))
        return self


@pytest.fixture(scope="session")
def sign_in_page() -> type[SignInPage]:
    return SignInPage


@pytest.fixture(scope="session")
def fleet_page() -> type[FleetPage]:
    return FleetPage


@pytest.fixture(scope="session")
def device_page() -> type[DevicePage]:
    return DevicePage


@pytest.fixture
def signed_in(new_page: Callable[..., Page], site: Site) -> Callable[..., Page]:
    """Return a function that opens a page, signed in: ``signed_in(path, width=390)``."""

    def open_page(path: str = "/", **options: Any) -> Page:
        page = new_page(**options)
        SignInPage(page, site.url).open(path).sign_in()
        return page

    return open_page


# Pictures and accessibility


@pytest.fixture(scope="session")
def screenshot(repository: Path) -> Callable[..., Path]:
    """Return a function that keeps a picture: ``screenshot(page, "fleet")``."""
    folder = repository / "build" / "screenshots"

    def take(page: Page, name: str, *, full_page: bool = True) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        page.screenshot(path=path, full_page=full_page, animations="disabled", timeout=60_000)
        return path

    return take


@pytest.fixture(scope="session")
def axe_source(repository: Path) -> str:
    """The accessibility checker, fetched from npm once."""
    spec = importlib.util.spec_from_file_location("hatch_build", repository / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hatch_build"] = module
    spec.loader.exec_module(module)
    module.provide(module.AXE_FILES)
    return str(module.AXE.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def violations(axe_source: str) -> Callable[[Page], list[str]]:
    """Return a function that names what axe-core finds wrong on a page."""

    def check(page: Page) -> list[str]:
        page.evaluate(axe_source)
        options = {"resultTypes": ["violations"]}
        result = page.evaluate("(options) => axe.run(document, options)", options)
        return [
            f"{found['id']}: {found['help']}: {[node['target'] for node in found['nodes']][:4]}"
            for found in result["violations"]
        ]

    return check
