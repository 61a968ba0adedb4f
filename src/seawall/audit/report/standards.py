"""The ten items, and the standards that an audit can be read by.

Sources, as cited in `Profile.source`:

- OWASP IoT Top 10 2018, the titles of its ten items.
- ETSI EN 303 645 V2.1.1 (2020-06), the provisions that a check or an item stands for; their
  words are shortened here, the document's own are binding. V3.1.3 (2024-09) keeps the
  numbers, and parts some of them into A and B.
- NIST IR 8259A (May 2020), table 1: the six capabilities; abbreviated as NIST SP 800-213A does.
- The Common Weakness Enumeration is cited by number, https://cwe.mitre.org/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from seawall.errors import UsageError
from seawall.model.finding import Item, References

ITEM_TITLES: Final[Mapping[Item, str]] = MappingProxyType(
    {
        Item.PASSWORDS: "Weak, guessable or hard-coded passwords",
        Item.SERVICES: "Insecure network services",
        Item.INTERFACES: "Insecure ecosystem interfaces",
        Item.UPDATES: "Lack of a secure update mechanism",
        Item.COMPONENTS: "Insecure or outdated components",
        Item.PRIVACY: "Insufficient privacy protection",
        Item.TRANSFER_AND_STORAGE: "Insecure data transfer and storage",
        Item.MANAGEMENT: "Lack of device management",
        Item.DEFAULTS: "Insecure default settings",
        Item.HARDWARE: "Lack of physical hardening",
    }
)

OWASP: Final = {
    "I1": "Weak, Guessable, or Hardcoded Passwords",
    "I2": "Insecure Network Services",
    "I3": "Insecure Ecosystem Interfaces",
    "I4": "Lack of Secure Update Mechanism",
    "I5": "Use of Insecure or Outdated Components",
    "I6": "Insufficient Privacy Protection",
    "I7": "Insecure Data Transfer and Storage",
    "I8": "Lack of Device Management",
    "I9": "Insecure Default Settings",
    "I10": "Lack of Physical Hardening",
}

ETSI: Final = {
    "5.1-1": "Passwords are unique per device or defined by the user",
    "5.1-2": "Pre-installed passwords resist automated attacks",
    "5.1-3": "Users are authenticated with best practice cryptography",
    "5.1-4": "Authentication values can be changed simply",
    "5.1-5": "Brute force over the network is impracticable",
    "5.2-1": "A vulnerability disclosure policy is public",
    "5.2-3": "Vulnerabilities are monitored for, and rectified",
    "5.3-1": "All software components are securely updateable",
    "5.3-2": "Updates can be installed securely",
    "5.3-4": "Software updates are automatic",
    "5.3-5": "The device checks for security updates",
    "5.3-7": "Best practice cryptography secures updates",
    "5.3-8": "Security updates are timely",
    "5.3-9": "Authenticity and integrity of updates are verified",
    "5.3-10": "Updates over a network are verified via a trust relationship",
    "5.3-13": "The support period is published",
    "5.3-16": "The model can be recognised",
    "5.4-1": "Sensitive security parameters are stored securely",
    "5.4-2": "A hard-coded identity of the device resists tampering",
    "5.4-3": "No hard-coded critical security parameters in source code",
    "5.4-4": "Critical security parameters are unique per device",
    "5.5-1": "Best practice cryptography secures communication",
    "5.5-2": "Reviewed or evaluated implementations are used",
    "5.5-3": "Cryptographic algorithms can be updated",
    "5.5-4": "Functionality is reached over a network only after authentication",
    "5.5-5": "Security-relevant changes over a network need authentication",
    "5.5-6": "Critical security parameters are encrypted in transit",
    "5.5-7": "Critical security parameters stay confidential on remote interfaces",
    "5.5-8": "Critical security parameters are managed securely",
    "5.6-1": "Unused network and logical interfaces are disabled",
    "5.6-2": "Nothing security-relevant is disclosed without authentication",
    "5.6-3": "Hardware exposes no unnecessary physical interface",
    "5.6-4": "Debug interfaces are disabled in software",
    "5.6-5": "Only services that are needed run",
    "5.6-6": "Code is limited to what is needed",
    "5.6-7": "Software runs with least privilege",
    "5.6-8": "Memory has access control in hardware",
    "5.6-9": "Software is developed by a secure process",
    "5.7-1": "Software is verified by secure boot",
    "5.7-2": "Unauthorised changes of software raise an alert",
    "5.8-1": "Personal data in transit is confidential",
    "5.8-2": "Sensitive personal data is protected between device and services",
    "5.8-3": "External sensing capabilities are documented",
    "5.9-1": "Resilience against outages of network and power",
    "5.9-2": "The device works locally without network, and recovers cleanly",
    "5.9-3": "Devices reconnect in an orderly way",
    "5.10-1": "Telemetry is examined for security anomalies",
    "5.11-1": "Users can erase their data from the device",
    "5.11-2": "Users can remove their data from services",
    "5.12-1": "Installation and maintenance follow good practice on usability",
    "5.12-2": "Users are guided to set up securely",
    "5.12-3": "Users are guided to check that the set-up is secure",
    "5.13-1": "Input data is validated",
    "6-1": "Consumers are told what personal data is processed",
    "6-2": "Consent to personal data is obtained validly",
    "6-3": "Consent can be withdrawn",
    "6-4": "Telemetry holds the least personal data needed",
    "6-5": "Consumers are told what telemetry is collected",
}

NIST: Final = {
    "DI": "Device Identification",
    "DC": "Device Configuration",
    "DP": "Data Protection",
    "LA": "Logical Access to Interfaces",
    "SU": "Software Update",
    "CS": "Cybersecurity State Awareness",
}

_ETSI_BY_ITEM: Final = {
    Item.PASSWORDS: ("5.1-1", "5.1-2", "5.4-3"),
    Item.SERVICES: ("5.6-1", "5.6-5"),
    Item.INTERFACES: ("5.5-4", "5.5-5", "5.13-1"),
    Item.UPDATES: ("5.3-2", "5.3-7", "5.3-10"),
    Item.COMPONENTS: ("5.2-3", "5.3-8", "5.5-2"),
    Item.PRIVACY: ("5.8-1", "5.11-1", "6-1", "6-4"),
    Item.TRANSFER_AND_STORAGE: ("5.4-1", "5.5-1", "5.5-7"),
    Item.MANAGEMENT: ("5.5-8", "5.10-1"),
    Item.DEFAULTS: ("5.1-1", "5.6-1", "5.12-1"),
    Item.HARDWARE: ("5.6-3", "5.6-4", "5.7-1"),
}
_NIST_BY_ITEM: Final = {
    Item.PASSWORDS: ("LA",),
    Item.SERVICES: ("LA",),
    Item.INTERFACES: ("LA", "DP"),
    Item.UPDATES: ("SU",),
    Item.COMPONENTS: ("SU", "CS"),
    Item.PRIVACY: ("DP",),
    Item.TRANSFER_AND_STORAGE: ("DP",),
    Item.MANAGEMENT: ("DI", "CS"),
    Item.DEFAULTS: ("DC",),
    Item.HARDWARE: ("LA", "DP"),
}


@dataclass(frozen=True, slots=True)
class Provision:
    """One requirement of a standard: its number there, and a short title."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A standard that results are mapped to.

    Attributes:
        id: As ``--profile`` takes it.
        title: The standard's name.
        edition: Version and date of the document.
        publisher: Who publishes it.
        source: Where it is.
        provisions: Number to short title, in the order of the document.
        by_item: What each of the ten stands for.
    """

    id: str
    title: str
    edition: str
    publisher: str
    source: str
    provisions: Mapping[str, str]
    by_item: Mapping[Item, tuple[str, ...]]

    def of_item(self, item: Item) -> tuple[Provision, ...]:
        """Return what an item stands for in this standard."""
        return self._named(self.by_item[item])

    def of_check(self, item: Item, references: References) -> tuple[Provision, ...]:
        """Return what a check names of this standard; where it names nothing, its item's."""
        named = _named_by(self.id, references)
        return self._named(named) if named else self.of_item(item)

    def _named(self, ids: tuple[str, ...]) -> tuple[Provision, ...]:
        # An extra check may name what this list does not know; its number still says something.
        return tuple(Provision(each, self.provisions.get(each, "")) for each in ids)


PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        profile.id: profile
        for profile in (
            Profile(
                id="owasp-iot-2018",
                title="OWASP IoT Top 10",
                edition="2018",
                publisher="OWASP Foundation",
                source="https://owasp.org/www-project-internet-of-things/",
                provisions=OWASP,
                by_item={item: (f"I{item.value}",) for item in Item},
            ),
            Profile(
                id="etsi-303645",
                title="ETSI EN 303 645",
                edition="V2.1.1 (2020-06)",
                publisher="ETSI",
                source="https://www.etsi.org/deliver/etsi_en/303600_303699/303645/02.01.01_60/en_303645v020101p.pdf",
                provisions=ETSI,
                by_item=_ETSI_BY_ITEM,
            ),
            Profile(
                id="nist-8259a",
                title="NIST IR 8259A",
                edition="May 2020",
                publisher="National Institute of Standards and Technology",
                source="https://doi.org/10.6028/NIST.IR.8259A",
                provisions=NIST,
                by_item=_NIST_BY_ITEM,
            ),
        )
    }
)
DEFAULT_PROFILE: Final = "owasp-iot-2018"


def find_profile(name: str) -> Profile:
    """Return the profile of this name.

    Raises:
        UsageError: There is none; the message names those that there are.
    """
    if name not in PROFILES:
        raise UsageError(
            f"no profile is called {name!r}", hint=f"one of {', '.join(sorted(PROFILES))}"
        )
    return PROFILES[name]


def _named_by(profile_id: str, references: References) -> tuple[str, ...]:
    named = {
        "owasp-iot-2018": references.owasp,
        "etsi-303645": references.etsi,
        "nist-8259a": references.nist,
    }
    return named[profile_id]


def unknown_references(references: References) -> list[str]:
    """Return what a check names that no standard has; for the test of the catalogue."""
    known = [
        ("owasp", references.owasp, set(OWASP)),
        ("etsi", references.etsi, set(ETSI)),
        ("nist", references.nist, set(NIST)),
    ]
    unknown = [f"{name} {each}" for name, ids, there in known for each in ids if each not in there]
    return unknown + [f"cwe {each}" for each in references.cwe if each <= 0]
