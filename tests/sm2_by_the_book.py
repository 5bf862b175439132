"""SM2 signatures by the book, in plain arithmetic: slow, and from the standard alone, for the tests to compare with."""

import base64

from cryptography.hazmat.primitives.hashes import SM3, Hash

from wire.sm2 import ORDER

# GB/T 32918.5-2017: the recommended curve (clause 2) and the example of a signature (annex A.2).
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
PRIVATE = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
POINT = (
    0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020,
    0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13,
)
MESSAGE = b"message digest"
Z = "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
K = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA

Point = tuple[int, int] | None


def sm3(*parts: bytes) -> bytes:
    digest = Hash(SM3())
    for part in parts:
        digest.update(part)
    return digest.finalize()


def octets(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def plus(one: Point, two: Point) -> Point:
    if one is None or two is None:
        return one or two
    (x1, y1), (x2, y2) = one, two
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) if one == two else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def times(factor: int, point: Point) -> Point:
    result: Point = None
    while factor:
        if factor & 1:
            result = plus(result, point)
        point, factor = plus(point, point), factor >> 1
    return result


def z_of(point: tuple[int, int], user: bytes = b"1234567812345678") -> bytes:
    """Return Z_A (GB/T 32918.2-2016, 5.5)."""
    return sm3((8 * len(user)).to_bytes(2, "big"), user, octets(A, B, *G, *point))


def signed_by_the_book(private: int, k: int, message: bytes) -> bytes:
    """Return r || s (6.1)."""
    point, commitment = times(private, G), times(k, G)
    assert point is not None
    assert commitment is not None
    r = (int.from_bytes(sm3(z_of(point), message), "big") + commitment[0]) % ORDER
    return octets(r, pow(1 + private, -1, ORDER) * (k - r * private) % ORDER)


def holds_by_the_book(point: tuple[int, int], signature: bytes, message: bytes) -> bool:
    """Return whether the signature is the point's (7.1)."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    found = plus(times(s, G), times((r + s) % ORDER, point))
    return found is not None and (int.from_bytes(sm3(z_of(point), message), "big") + found[0]) % ORDER == r


def private_der(private: int, point: tuple[int, int]) -> bytes:
    return bytes.fromhex(
        f"308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420{private:064x}"
        f"a14403420004{point[0]:064x}{point[1]:064x}"
    )


def pem(der: bytes, kind: str) -> bytes:
    return f"-----BEGIN {kind}-----\n{base64.encodebytes(der).decode()}-----END {kind}-----\n".encode()
