"""Public keys with which everybody has the shared secret: the points of low order on Curve25519 (RFC 7748, 6.1).

The library takes them from a recipient as it is written, and panics or encrypts to everybody later. A text has passed
the library's own check, that of its form, before it comes here.
"""

import base64

_P = 2**255 - 19
_LOW_ORDER = frozenset(
    {
        0,
        1,
        _P - 1,
        # The two points of order 8, from https://cr.yp.to/ecdh.html#validate.
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def is_weak_x25519(recipient: str) -> bool:
    """Tell whether the key of an `age1...` recipient is one: 256 bits and 4 of padding in bech32, then a checksum."""
    number = 0
    for character in recipient.removeprefix("age1")[:-6]:
        number = number << 5 | _BECH32.index(character)
    return _coordinate((number >> 4).to_bytes(32, "big")) in _LOW_ORDER


def is_weak_ssh_key(recipient: str) -> bool:
    """Tell whether an `ssh-ed25519 AAAA...` key is one, once age has mapped it to X25519: u = (1 + y) / (1 - y)."""
    y = _coordinate(base64.b64decode(recipient.split()[1])[-32:])
    return (1 + y) * pow(1 - y, -1, _P) % _P in _LOW_ORDER if y != 1 else True


def _coordinate(key: bytes) -> int:
    """Return the number that a key stands for; its highest bit does not count."""
    return int.from_bytes(key, "little") % 2**255 % _P
