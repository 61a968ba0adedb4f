"""HTTP without TLS."""

from __future__ import annotations

from seawall.audit.check import Check
from seawall.audit.firmware.judging import FIRMWARE, firmware_jobs, judge_spots
from seawall.audit.firmware.source import Language, Weakness
from seawall.model.finding import Fix, Item, References, Risk, Severity

_FIXES = {
    Language.PYTHON: Fix(
        "Use https:// with a context that verifies the server (`tls.CERT_REQUIRED` and its CA)."
    ),
    Language.ARDUINO: Fix(
        "Use https:// with a `WiFiClientSecure` that has the CA: `client.setCACert(ca)`, then "
        '`http.begin(client, "https://...")`.'
    ),
    Language.ESP_IDF: Fix(
        "Use https:// and `.crt_bundle_attach = esp_crt_bundle_attach` or `.cert_pem = ca` in the "
        "`esp_http_client_config_t`."
    ),
}

CHECK = Check(
    id="firmware.http.plain",
    title="Data goes over HTTP without TLS",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=FIRMWARE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Everybody on the way reads what the device sends, tokens as well, and answers in the "
    "name of the server.",
    references=References(("I7",), ("5.5-1", "5.8-1"), ("DP",), (319,)),
    jobs=firmware_jobs,
    judge=judge_spots(
        Weakness.PLAIN_HTTP, _FIXES, "no HTTP request without TLS", "no HTTP request here"
    ),
)
