"""The few functions of libcrypto that SM2 needs: OpenSSL 3 as the distribution keeps it, or Tongsuo in its place.

Loaded when the first SM2 key is met, so that programs without one pay nothing for it.
"""

import functools
import os
from collections.abc import Callable
from typing import Any, TypeAlias

Pointer: TypeAlias = Any
"""What cffi knows of a pointer to the library's own; it frees what it points to."""

EXTRA = "pip install 'diantan[sm2]'"
LIBRARY_VARIABLE = "DIANTAN_LIBCRYPTO"
"""Environment variable that names another libcrypto, such as a certified Tongsuo (铜锁)."""

LIBRARIES = ("libcrypto.so.3", "libcrypto.so.4")

USER_ID = b"1234567812345678"
"""The signer's distinguishing identifier (可辨别标识) in Z_A: the default one of GM/T 0009-2012."""

SUBJECT_PUBLIC_KEY = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
"""DER before the 65 bytes of an uncompressed point: id-ecPublicKey with the curve 1.2.156.10197.1.301 (RFC 5480)."""

# The signature example of GB/T 32918.5-2017 (GM/T 0003.5-2012), annex A.2, on the recommended curve: user id as above.
EXAMPLE_POINT = bytes.fromhex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
EXAMPLE_MESSAGE = b"message digest"
_EXAMPLE_SIGNATURE = bytes.fromhex(
    "3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)

_DECLARATIONS = """
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_pkey_ctx_st EVP_PKEY_CTX;
typedef struct evp_md_st EVP_MD;
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct pkcs8_priv_key_info_st PKCS8_PRIV_KEY_INFO;
const char *OpenSSL_version(int type);
unsigned long ERR_get_error(void);
void ERR_clear_error(void);
void ERR_error_string_n(unsigned long e, char *buf, size_t len);
EVP_MD *EVP_MD_fetch(void *libctx, const char *algorithm, const char *properties);
EVP_PKEY *d2i_PUBKEY(EVP_PKEY **a, const unsigned char **pp, long length);
int i2d_PUBKEY(const EVP_PKEY *a, unsigned char **pp);
PKCS8_PRIV_KEY_INFO *d2i_PKCS8_PRIV_KEY_INFO(PKCS8_PRIV_KEY_INFO **a, const unsigned char **pp, long length);
int i2d_PKCS8_PRIV_KEY_INFO(const PKCS8_PRIV_KEY_INFO *a, unsigned char **pp);
void PKCS8_PRIV_KEY_INFO_free(PKCS8_PRIV_KEY_INFO *a);
EVP_PKEY *EVP_PKCS82PKEY(const PKCS8_PRIV_KEY_INFO *p8);
PKCS8_PRIV_KEY_INFO *EVP_PKEY2PKCS8(const EVP_PKEY *pkey);
void EVP_PKEY_free(EVP_PKEY *key);
int EVP_PKEY_is_a(const EVP_PKEY *pkey, const char *name);
int EVP_PKEY_set_utf8_string_param(EVP_PKEY *pkey, const char *key_name, const char *str);
EVP_PKEY_CTX *EVP_PKEY_CTX_new_from_name(void *libctx, const char *name, const char *properties);
EVP_PKEY_CTX *EVP_PKEY_CTX_new_from_pkey(void *libctx, EVP_PKEY *pkey, const char *properties);
void EVP_PKEY_CTX_free(EVP_PKEY_CTX *ctx);
int EVP_PKEY_keygen_init(EVP_PKEY_CTX *ctx);
int EVP_PKEY_keygen(EVP_PKEY_CTX *ctx, EVP_PKEY **pkey);
int EVP_PKEY_check(EVP_PKEY_CTX *ctx);
int EVP_PKEY_public_check(EVP_PKEY_CTX *ctx);
int EVP_PKEY_CTX_set1_id(EVP_PKEY_CTX *ctx, const void *id, size_t length);
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *ctx);
void EVP_MD_CTX_set_pkey_ctx(EVP_MD_CTX *ctx, EVP_PKEY_CTX *pctx);
int EVP_DigestSignInit(EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const EVP_MD *type, void *e, EVP_PKEY *pkey);
int EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *sig, size_t *siglen, const unsigned char *tbs, size_t tbslen);
int EVP_DigestVerifyInit(EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const EVP_MD *type, void *e, EVP_PKEY *pkey);
int EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t siglen, const unsigned char *tbs, size_t tbslen);
"""

_SIGNATURE_ROOM = 80  # DER of two integers of 256 bits takes 72 bytes at most
_FAULT_ROOM = 256
_DONE = 1
_VERSION = 0  # OPENSSL_VERSION


class Sm2Error(Exception):
    """The library refused a key or an operation."""


class Sm2MissingError(Sm2Error):
    """There is no library for SM2 here; the message says what to install."""


class Library:
    """A libcrypto that has SM2 and SM3."""

    def __init__(self, ffi: Pointer, lib: Pointer, name: str) -> None:
        self._ffi = ffi
        self._lib = lib
        self.name = name
        digest = lib.EVP_MD_fetch(ffi.NULL, b"SM3", ffi.NULL)
        context = lib.EVP_PKEY_CTX_new_from_name(ffi.NULL, b"SM2", ffi.NULL)
        self.version = ffi.string(lib.OpenSSL_version(_VERSION)).decode()
        if not digest or not context:
            raise Sm2Error(f"{name} ({self.version}) was built without SM2 and SM3: {self._fault()}")
        lib.EVP_PKEY_CTX_free(context)
        self._digest = digest
        # Any library may be named: one that computes something else has to be found out before it signs.
        if not self.verify(self.public_key(EXAMPLE_POINT), _EXAMPLE_SIGNATURE, EXAMPLE_MESSAGE):
            raise Sm2Error(f"{name} ({self.version}) fails the example of GB/T 32918.5-2017, annex A")

    def generate(self) -> Pointer:
        """Return a new private key."""
        context = self._context(self._lib.EVP_PKEY_CTX_new_from_name(self._ffi.NULL, b"SM2", self._ffi.NULL))
        place = self._ffi.new("EVP_PKEY **")
        if self._lib.EVP_PKEY_keygen_init(context) != _DONE or self._lib.EVP_PKEY_keygen(context, place) != _DONE:
            raise Sm2Error(f"no key was made: {self._fault()}")
        return self._owned(place[0])

    def private_key(self, pkcs8: bytes) -> Pointer:
        """Return the private key in PKCS #8 DER; Sm2Error when it is none, or its public half isn't its own."""
        source, place = self._source(pkcs8)
        info = self._lib.d2i_PKCS8_PRIV_KEY_INFO(self._ffi.NULL, place, len(pkcs8))
        if not info:
            raise Sm2Error(f"no PKCS #8 key: {self._fault()}")
        key = self._lib.EVP_PKCS82PKEY(info)
        self._lib.PKCS8_PRIV_KEY_INFO_free(info)
        return self._checked(key, self._lib.EVP_PKEY_check, complete=place[0] == source + len(pkcs8))

    def public_key(self, point: bytes) -> Pointer:
        """Return the public key of an uncompressed point; Sm2Error when that is not on the curve."""
        return self.public_key_from_der(SUBJECT_PUBLIC_KEY + point)

    def public_key_from_der(self, der: bytes) -> Pointer:
        """Return the public key in a SubjectPublicKeyInfo; Sm2Error when it is none."""
        source, place = self._source(der)
        key = self._lib.d2i_PUBKEY(self._ffi.NULL, place, len(der))
        return self._checked(key, self._lib.EVP_PKEY_public_check, complete=place[0] == source + len(der))

    def pkcs8(self, key: Pointer) -> bytes:
        """Return the private key in PKCS #8 DER."""
        info = self._lib.EVP_PKEY2PKCS8(key)
        if not info:
            raise Sm2Error(f"no PKCS #8: {self._fault()}")
        try:
            return self._der(self._lib.i2d_PKCS8_PRIV_KEY_INFO, info)
        finally:
            self._lib.PKCS8_PRIV_KEY_INFO_free(info)

    def point(self, key: Pointer) -> bytes:
        """Return the uncompressed point 04 || X || Y, 65 bytes."""
        self._lib.EVP_PKEY_set_utf8_string_param(key, b"point-format", b"uncompressed")
        der = self._der(self._lib.i2d_PUBKEY, key)
        if not der.startswith(SUBJECT_PUBLIC_KEY + b"\x04"):
            raise Sm2Error(f"expected a key on the SM2 curve by its name, got {der.hex()}")
        return der[len(SUBJECT_PUBLIC_KEY) :]

    def sign(self, key: Pointer, data: bytes) -> bytes:
        """Return the DER signature of SM3(Z_A || data), its k from the library's generator."""
        digest, _context = self._prepared(self._lib.EVP_DigestSignInit, key)
        room = self._ffi.new("unsigned char[]", _SIGNATURE_ROOM)
        size = self._ffi.new("size_t *", _SIGNATURE_ROOM)
        if self._lib.EVP_DigestSign(digest, room, size, data, len(data)) != _DONE:
            raise Sm2Error(f"nothing was signed: {self._fault()}")
        return bytes(self._ffi.buffer(room, size[0]))

    def verify(self, key: Pointer, signature: bytes, data: bytes) -> bool:
        """Tell whether the DER signature is the key's over SM3(Z_A || data)."""
        digest, _context = self._prepared(self._lib.EVP_DigestVerifyInit, key)
        if self._lib.EVP_DigestVerify(digest, signature, len(signature), data, len(data)) == _DONE:
            return True
        self._lib.ERR_clear_error()
        return False

    def _prepared(self, begin: Callable[..., int], key: Pointer) -> tuple[Pointer, Pointer]:
        """Return a digest ready for the key, and the key's context, which has to live as long as the digest."""
        context = self._context(self._lib.EVP_PKEY_CTX_new_from_pkey(self._ffi.NULL, key, self._ffi.NULL))
        digest = self._ffi.gc(self._lib.EVP_MD_CTX_new(), self._lib.EVP_MD_CTX_free)
        if not digest or self._lib.EVP_PKEY_CTX_set1_id(context, USER_ID, len(USER_ID)) != _DONE:
            raise Sm2Error(f"the user id was not taken: {self._fault()}")
        self._lib.EVP_MD_CTX_set_pkey_ctx(digest, context)
        if begin(digest, self._ffi.NULL, self._digest, self._ffi.NULL, key) != _DONE:
            raise Sm2Error(f"the key was not taken: {self._fault()}")
        return digest, context

    def _context(self, context: Pointer) -> Pointer:
        if not context:
            raise Sm2Error(f"no context: {self._fault()}")
        return self._ffi.gc(context, self._lib.EVP_PKEY_CTX_free)

    def _owned(self, key: Pointer) -> Pointer:
        return self._ffi.gc(key, self._lib.EVP_PKEY_free)

    def _checked(self, key: Pointer, check: Callable[[Pointer], int], *, complete: bool) -> Pointer:
        if not key:
            raise Sm2Error(f"not readable as a key: {self._fault()}")
        key = self._owned(key)
        if not complete:
            raise Sm2Error("there are bytes behind the key")
        if not self._lib.EVP_PKEY_is_a(key, b"SM2"):
            raise Sm2Error("the key is not for SM2")
        context = self._context(self._lib.EVP_PKEY_CTX_new_from_pkey(self._ffi.NULL, key, self._ffi.NULL))
        if check(context) != _DONE:
            raise Sm2Error(f"the key is not valid: {self._fault()}")
        return key

    def _source(self, der: bytes) -> tuple[Pointer, Pointer]:
        source = self._ffi.new("unsigned char[]", der)
        return source, self._ffi.new("const unsigned char **", source)

    def _der(self, write: Callable[[Pointer, Pointer], int], item: Pointer) -> bytes:
        size = write(item, self._ffi.NULL)
        if size <= 0:
            raise Sm2Error(f"not writable: {self._fault()}")
        room = self._ffi.new("unsigned char[]", size)
        write(item, self._ffi.new("unsigned char **", room))
        return bytes(self._ffi.buffer(room))

    def _fault(self) -> str:
        """Return the library's first word on what went wrong, and forget the rest."""
        code = self._lib.ERR_get_error()
        room = self._ffi.new("char[]", _FAULT_ROOM)
        self._lib.ERR_error_string_n(code, room, _FAULT_ROOM)
        self._lib.ERR_clear_error()
        return self._ffi.string(room).decode("ascii", "replace") if code else "no reason given"


def library() -> Library:
    """Return the library; Sm2MissingError says what to install."""
    found = _found()
    if isinstance(found, str):
        raise Sm2MissingError(found)
    return found


# The search has its price, and whoever sends envelopes could have it made for each of them: once, whatever comes of it.
@functools.cache
def _found() -> Library | str:
    try:
        import cffi  # noqa: PLC0415  # only who uses SM2 has to have it
    except ImportError:
        return f"SM2 needs the extra `sm2`: {EXTRA}"
    named = os.environ.get(LIBRARY_VARIABLE)
    names = (named,) if named else LIBRARIES
    ffi = cffi.FFI()
    ffi.cdef(_DECLARATIONS)
    for name in names:
        try:
            lib = ffi.dlopen(name)
        except OSError:
            continue
        try:
            return Library(ffi, lib, name)
        except AttributeError as error:
            return f"SM2 needs OpenSSL 3 or newer, and {name} is none: {error}"
        except Sm2Error as error:
            return f"SM2 needs another libcrypto ({LIBRARY_VARIABLE} names one): {error}"
    return f"SM2 needs OpenSSL 3 of the system (Debian: libssl3): {' or '.join(names)} can't be loaded"
