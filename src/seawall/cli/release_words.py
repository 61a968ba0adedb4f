"""How releases and signatures are printed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from seawall.cli.output import emit_json, print_facts, say

if TYPE_CHECKING:
    from seawall.model.release import Release
    from seawall.operations.build_release import Packed
    from seawall.operations.show_update_keys import UpdateKeys
    from seawall.operations.update_signing import Signed


def release_json(release: Release, *, files: bool = False) -> dict[str, Any]:
    """Return a release as JSON."""
    facts: dict[str, Any] = {
        "release": release.target.removesuffix(".json"),
        "board": release.board,
        "version": release.version.text,
        "kind": release.kind.value,
        "target": release.target,
        "sha256": release.sha256,
        "length": release.length,
        "files": len(release.files),
        "bytes": release.size,
        "published_ms": release.published_ms or None,
    }
    if files:
        facts["contents"] = [
            {"path": each.path, "bytes": each.length, "sha256": each.sha256}
            for each in release.files
        ]
    return facts


def release_words(release: Release) -> dict[str, object]:
    """Return a release as names and values."""
    words: dict[str, object] = {
        "release": release.target.removesuffix(".json"),
        "kind": release.kind.value,
        "files": len(release.files),
        "bytes": f"{release.size:,}",
        "sha256": release.sha256,
    }
    if release.published_ms:
        words["published"] = shown_day(release.published_ms)
    return words


def shown_day(at_ms: int) -> str:
    """Return a time to the minute, UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def report_packed(packed: Packed, out: str, as_json: bool) -> None:
    """Print what was built."""
    release, image = packed.built.release, packed.built.image
    if as_json:
        facts = release_json(release, files=True)
        facts["archive"] = out
        facts["left_out"] = list(packed.left_out)
        if image is not None:
            facts["image"] = {
                "chip": image.chip,
                "project": image.project,
                "version": image.version,
                "segments": image.segments,
                "appended_sha256": image.has_digest,
                "signature_sector": image.is_signed,
            }
        emit_json(facts)
        return
    words = release_words(release) | {"archive": out}
    if image is not None:
        words["image"] = f"{image.chip}, {image.project} {image.version}"
    print_facts(words)
    if packed.left_out:
        say(f"Left out: {', '.join(packed.left_out[:10])}")


def signed_json(signed: Signed) -> dict[str, Any]:
    """Return what came of signing as JSON."""
    waits = not signed.written
    return {
        "signed_by": list(signed.names),
        "published": list(signed.written),
        "waiting": {
            "releases": [_release_name(each) for each in signed.added if waits],
            "withdrawals": [_release_name(each) for each in signed.removed if waits],
        },
        "missing": [
            {"role": m.role, "have": m.have, "need": m.need, "could_sign": list(m.names)}
            for m in signed.missing
        ],
    }


def _release_name(target: str) -> str:
    return target.removesuffix(".json")


def report_signed(signed: Signed, done: str) -> None:
    """Print what came of signing, in words."""
    if signed.names:
        say(f"Signed by {', '.join(signed.names)}.")
    for missing in signed.missing:
        say(
            f"{missing.role}: {missing.have} of {missing.need} signatures; "
            f"could sign: {', '.join(missing.names)}. "
            "Next: 'seawall release keys sign --key FILE'."
        )
    if not signed.written:
        for what, targets in (("published", signed.added), ("withdrawn", signed.removed)):
            if targets:
                say(f"Waits to be {what}: {', '.join(map(_release_name, targets))}.")
    if not signed.missing and not signed.written:
        say("Next: 'seawall release publish'.")
    if signed.written:
        say(f"{done} ({', '.join(signed.written)})")


def keys_json(keys: UpdateKeys) -> dict[str, Any]:
    """Return all keys as JSON."""
    return {
        "roles": [
            {
                "role": role.role,
                "version": role.version,
                "expires": None if role.expires is None else role.expires.isoformat(),
                "threshold": role.threshold,
                "keys": [
                    {
                        "name": record.name,
                        "keyid": record.keyid,
                        "signer": record.signer,
                        "at_hand": here,
                    }
                    for record, here in role.keys
                ],
            }
            for role in keys.roles
        ],
        "waits": keys.waits or None,
        "missing": [
            {"role": m.role, "have": m.have, "need": m.need, "could_sign": list(m.names)}
            for m in keys.missing
        ],
    }


def key_rows(keys: UpdateKeys) -> list[tuple[str, ...]]:
    """Return all keys as rows of a table."""
    return [
        (
            role.role,
            f"{role.threshold} of {len(role.keys)}",
            "" if role.expires is None else f"{role.expires:%Y-%m-%d}",
            record.name,
            record.keyid[:16],
            record.signer if here else f"{record.signer} (elsewhere)",
        )
        for role in keys.roles
        for record, here in role.keys
    ]
