"""Takes the place of seawall_agent/ecdsa.py in the sweep: a signature is the digest itself."""


def verify(key, digest, signature):
    """Return whether the signature fits; who signed does not matter to a power cut."""
    return signature == digest
