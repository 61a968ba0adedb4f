"""Whether enough of a role's keys have signed a TUF document (TUF specification, 5.3.4)."""

from binascii import a2b_base64, unhexlify
from hashlib import sha256

from micropython import const

from . import core, load

_MOST = const(32)  # signatures in a document

# What verifies a key type and scheme. A role of a type that is not here has no say.
_SCHEMES = {
    "ecdsa ecdsa-sha2-nistp256": "ecdsa",
    "ecdsa-sha2-nistp256 ecdsa-sha2-nistp256": "ecdsa",  # its name before TUF 1.0.33
    "rsa rsassa-pss-sha256": "rsa_pss",
}


async def are_enough(doc, holder, keys, role):
    """Return whether a threshold of keys has signed.

    Args:
        doc: The `canonical.Document`.
        holder: The document that delegates to the role.
        keys: Path of the keys in it.
        role: Its ``keyids`` and ``threshold``.

    Raises:
        ValueError, KeyError, TypeError: something is malformed, or a key is listed as signing twice.
    """
    doc.check_whole()
    digest = doc.digest("signed")
    threshold = role["threshold"]
    if type(threshold) is not int or threshold < 1:
        raise ValueError
    tried = set()
    agreeing = set()  # by what a key is: under two ids it is still one
    doc.go("signatures")
    for _ in doc.walk(91):
        signature = doc.value(True)
        keyid = signature["keyid"]
        if keyid in tried or len(tried) >= _MOST:
            raise ValueError
        tried.add(keyid)
        if keyid in role["keyids"] and len(agreeing) < threshold:
            await core.sleep_ms(0)  # each takes long: let the connection live
            try:
                key = holder.get(*keys, keyid)
                public = key["keyval"]["public"]
                module = load(_SCHEMES[key["keytype"] + " " + key["scheme"]])
                if module.verify(_der_of(public), digest, unhexlify(signature["sig"])):
                    agreeing.add(sha256(public).digest())
            except (ValueError, KeyError, IndexError, TypeError):
                pass  # it does not count
    return len(agreeing) >= threshold


def _der_of(pem):
    parts = pem.split("-----")
    if parts[1] != "BEGIN PUBLIC KEY":
        raise ValueError
    return a2b_base64(parts[2])
