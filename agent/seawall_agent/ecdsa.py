"""ECDSA signatures on P-256 with SHA-256 (FIPS 186-5, SEC 1), verified in pure Python.

Verification touches no secret, so its time may depend on what it is given. Points are three
numbers (x, y, z) that stand for (x/z, y/z); infinity is (0, 1, 0).
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
_B = _number(_CURVE, 64)


def _add(one, other):
    # The sum of any two points, also of the same one, of opposites, or of infinity: the complete
    # formulas of Renes, Costello and Batina (2016) for a curve with a = -3.
    x, y, z = one
    u, v, w = other
    xx = x * u % _P
    yy = y * v % _P
    zz = z * w % _P
    xy = (x * v + y * u) % _P
    yz = (y * w + z * v) % _P
    xz = (x * w + z * u) % _P
    left = 3 * (_B * zz - xz) % _P
    last = 3 * (_B * xz - xx - 3 * zz) % _P
    right = yy + left
    left = yy - left
    xx = 3 * (xx - zz)
    return (
        (xy * left - yz * last) % _P,
        (right * left + xx * last) % _P,
        (yz * right + xy * xx) % _P,
    )


def _integer(number):
    # In DER (X.690, section 8.3): neither negative nor longer than it has to be.
    data = number.to_bytes(33, "big")
    while not data[0] and data[1] < 128:
        data = data[1:]
    return bytes((2, len(data))) + data


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
    if (x * x * x - 3 * x + _B - y * y) % _P:
        return False  # it is not on the curve
    # Two INTEGERs (RFC 3279, section 2.2.3), read in any form; but only one form is right.
    at = 4 + sum(signature[3:4])
    r = int.from_bytes(signature[4:at], "big")
    s = int.from_bytes(signature[at + 2 :], "big")
    if not (0 < r < order and 0 < s < order):
        return False
    both = _integer(r) + _integer(s)
    if bytes((0x30, len(both))) + both != signature:
        return False
    s = pow(s, order - 2, order)
    a = _number(digest, 0) * s % order
    b = r * s % order
    # Both multiples in one run (Shamir): add base point, key, or the sum of both.
    key = x, y, 1
    base = _number(_CURVE, 96), _number(_CURVE, 128), 1
    result = 0, 1, 0
    points = result, base, key, _add(base, key)
    for i in range(255, -1, -1):
        result = _add(_add(result, result), points[a >> i & 1 | (b >> i & 1) << 1])
    x, y, z = result
    # Of infinity this is 0, and r is not.
    return x * pow(z, _P - 2, _P) % _P % order == r


def verify(key, digest, signature):
    """Tell whether a signature is right, for a key in DER (SubjectPublicKeyInfo)."""
    return key[:26] == _SPKI and verify_point(key[26:], digest, signature)
