"""ECDSA signatures on P-256 with SHA-256 (FIPS 186-5, SEC 1), verified in pure Python.

Verification touches no secret, so its time may depend on what it is given. Numbers stay reduced
modulo the field where they are stored, and may be negative in between.
"""

# Five numbers of 32 bytes: the field's p, the order of the group, the curve's b, its base point.
_CURVE = (
    b"\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"
    b"\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"
    b"\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"
    b"\x5a\xc6\x35\xd8\xaa\x3a\x93\xe7\xb3\xeb\xbd\x55\x76\x98\x86\xbc"
    b"\x65\x1d\x06\xb0\xcc\x53\xb0\xf6\x3b\xce\x3c\x3e\x27\xd2\x60\x4b"
    b"\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2"
    b"\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96"
    b"\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16"
    b"\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5"
)

# What comes before the point in a SubjectPublicKeyInfo (RFC 5480).
_SPKI = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"


def _number(data, at):
    return int.from_bytes(data[at : at + 32], "big")


_P = _number(_CURVE, 0)


def _double(x, y, z):
    # Jacobian coordinates, a = -3. Infinity is z = 0, and stays so.
    zz = z * z % _P
    yy = y * y % _P
    beta = x * yy % _P
    alpha = 3 * (x - zz) * (x + zz) % _P
    x = (alpha * alpha - 8 * beta) % _P
    return x, (alpha * (4 * beta - x) - 8 * yy * yy) % _P, 2 * y * z % _P


def _add(x, y, z, point):
    # A Jacobian point and an affine one.
    if not z:
        return point[0], point[1], 1
    zz = z * z % _P
    h = (point[0] * zz - x) % _P
    r = (point[1] * (zz * z % _P) - y) % _P
    if not h:
        # The same point, or its opposite: the formula below would be wrong.
        return (1, 1, 0) if r else _double(x, y, z)
    hh = h * h % _P
    v = x * hh % _P
    hh = hh * h % _P
    x = (r * r - hh - 2 * v) % _P
    return x, (r * (v - x) - y * hh) % _P, z * h % _P


def _integers(der):
    # The two INTEGERs of a signature in DER (RFC 3279, section 2.2.3), or None.
    if len(der) > 72 or der[:2] != bytes((0x30, len(der) - 2)):
        return None
    found = []
    at = 2
    for _ in range(2):
        end = at + 2 + der[at + 1]
        value = der[at + 2 : end]
        # Neither negative nor longer than it has to be.
        if der[at] != 2 or end > len(der) or value[0] > 127 or (value[0] == 0 and value[1] < 128):
            # A lone zero, whose second byte is missing, raises IndexError: it is no valid r or s.
            return None
        found.append(int.from_bytes(value, "big"))
        at = end
    return found if at == len(der) else None


def verify_point(point, digest, signature):
    """Tell whether a signature is right.

    Args:
        point: The public key, uncompressed: 4, x, y; 65 bytes.
        digest: SHA-256 of the message.
        signature: DER, which must be strict.
    """
    order = _number(_CURVE, 32)
    x = _number(point, 1)
    y = _number(point, 33)
    if len(point) != 65 or point[0] != 4 or x >= _P or y >= _P:
        return False
    if (x * x * x - 3 * x + _number(_CURVE, 64) - y * y) % _P:
        return False  # it is not on the curve
    try:
        r, s = _integers(signature)
    except (TypeError, ValueError, IndexError):
        return False
    if not (0 < r < order and 0 < s < order):
        return False
    s = pow(s, order - 2, order)
    a = _number(digest, 0) * s % order
    b = r * s % order
    # Both multiples in one run (Shamir): add base point, key, or the sum of both.
    base = _number(_CURVE, 96), _number(_CURVE, 128)
    both = None
    X, Y, Z = _add(x, y, 1, base)
    if Z:
        z = pow(Z, _P - 2, _P)
        zz = z * z % _P
        both = X * zz % _P, Y * (zz * z % _P) % _P
    points = None, base, (x, y), both
    x = y = 1
    z = 0
    for i in range(255, -1, -1):
        if z:
            x, y, z = _double(x, y, z)
        if chosen := points[a >> i & 1 | (b >> i & 1) << 1]:
            x, y, z = _add(x, y, z, chosen)
    if not z:
        return False
    # x / z² is r, or r + order if that is still below p; compared without dividing.
    zz = z * z % _P
    return r * zz % _P == x or (r + order < _P and (r + order) * zz % _P == x)


def verify(key, digest, signature):
    """Tell whether a signature is right, for a key in DER (SubjectPublicKeyInfo)."""
    return key[:26] == _SPKI and verify_point(key[26:], digest, signature)
