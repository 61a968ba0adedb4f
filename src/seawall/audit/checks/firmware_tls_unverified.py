"""TLS that accepts any certificate."""

from __future__ import annotations

from seawall.audit.check import Check
from seawall.audit.firmware.judging import FIRMWARE, firmware_jobs, judge_spots
from seawall.audit.firmware.source import Language, Weakness
from seawall.model.finding import Fix, Item, References, Risk, Severity

_FIXES = {
    Language.PYTHON: Fix(
        "Verify the server: `context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)`, then "
        "`context.verify_mode = tls.CERT_REQUIRED`, `context.load_verify_locations(ca)` and "
        "`context.wrap_socket(s, server_hostname=name)`, for MQTT `MQTTClient(..., ssl=context)`."
    ),
    Language.ARDUINO: Fix("Verify the server: `client.setCACert(ca)` instead of `setInsecure()`."),
    Language.ESP_IDF: Fix(
        "Verify the server: `.crt_bundle_attach = esp_crt_bundle_attach` or `.cert_pem = ca`, "
        "neither `.skip_cert_common_name_check` nor `CONFIG_ESP_TLS_SKIP_SERVER_CERT_VERIFY`; "
        "with Mbed TLS itself `mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_REQUIRED)` and "
        "`mbedtls_ssl_conf_ca_chain()`."
    ),
}

CHECK = Check(
    id="firmware.tls.unverified",
    title="TLS connections accept any certificate",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=FIRMWARE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Encryption to whoever answers protects from nobody: one who sits in between shows a "
    "certificate of their own, reads all, and sends orders and updates.",
    references=References(("I7",), ("5.5-1", "5.5-7"), ("DP",), (295, 297)),
    jobs=firmware_jobs,
    judge=judge_spots(
        Weakness.TLS_UNVERIFIED,
        _FIXES,
        "no TLS connection that leaves the certificate unchecked",
        "no TLS connection here",
    ),
)
