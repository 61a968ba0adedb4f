"""What a TUF document claims, and whose signatures it bears (TUF specification, 4.2 and 5.3.4)."""

from binascii import a2b_base64, unhexlify

from micropython import const

from . import load

_MOST = const(32)  # signatures in a document

# What verifies a scheme. A key of another kind has no say.
_SCHEMES = {"ecdsa-sha2-nistp256": "ecdsa", "rsassa-pss-sha256": "rsa_pss"}


def read(path, role, kind, holder, spec):
    """Return what there is to be verified of a document.

    Args:
        path: Of the document.
        role: Its role, as its holder calls it.
        kind: What its ``_type`` has to be.
        holder: Path of the document that delegates to the role.
        spec: Delegation in it; None: what a root says of the role.

    Returns:
        Version, SHA-256 of what is signed, how many different keys must have signed, and for each
        of the role's keys that claims to have: name of the module that verifies it, key, signature.

    Raises:
        ValueError, KeyError, TypeError, IndexError, RuntimeError: something is malformed, or a
            key is listed as signing twice.
    """
    Document = load("canonical").Document
    with open(path, "rb") as f, open(holder, "rb") as g:
        doc = Document(f)
        g = Document(g)
        digest = doc.digest("signed")
        version = doc.get("signed", "version")
        keys = ("signed", "delegations", "keys") if spec else ("signed", "keys")
        spec = spec or g.get("signed", "roles", role)
        threshold = spec["threshold"]
        if (
            doc.get("signed", "_type") != kind
            or doc.get("signed", "spec_version")[:2] != "1."
            or not type(version) is type(threshold) is int
            or version < 1
            or threshold < 1
        ):
            raise ValueError
        tried = set()
        claims = []
        doc.go("signatures")
        for _ in doc.walk(91):
            signature = doc.value(True)
            keyid = signature["keyid"]
            if keyid in tried or len(tried) >= _MOST:
                raise ValueError
            tried.add(keyid)
            if keyid in spec["keyids"]:
                try:
                    key = g.get(*keys, keyid)
                    _, kind, body, _, _ = key["keyval"]["public"].split("-----")
                    if kind == "BEGIN PUBLIC KEY":
                        scheme = _SCHEMES[key["scheme"]]
                        claims.append((scheme, a2b_base64(body), unhexlify(signature["sig"])))
                except (ValueError, KeyError, TypeError):
                    pass  # it does not count
    return version, digest, threshold, claims
