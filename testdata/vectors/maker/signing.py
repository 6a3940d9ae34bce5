"""Signatures in plain Python over the numbers of the keys. Every asymmetric one is checked with the openssl command."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import tempfile

KEYS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "keys")
# DER of the DigestInfo in front of the digest, by RFC 8017 section 9.2.
DIGEST_INFO = {"sha1": "3021300906052b0e03021a05000414", "sha256": "3031300d060960864801650304020105000420",
               "sha512": "3051300d060960864801650304020305000440"}
SALT = bytes(range(32))  # fixed, so that the PSS value is the same every time
P = 2 ** 256 - 2 ** 224 + 2 ** 192 + 2 ** 96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296, 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)


def b64(raw):
    return base64.b64encode(raw).decode()


def b64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def mac(key, message, algorithm="sha256"):
    return hmac.new(key.encode() if isinstance(key, str) else key, message, algorithm)


def openssl(*words, stdin=None):
    return subprocess.run(["openssl", *words], input=stdin, check=True, capture_output=True).stdout


def path(name):
    return os.path.join(KEYS, name + ".pem")


def der_items(raw):
    """The (tag, content) pairs that stand in a piece of DER, one after another."""
    found, at = [], 0
    while at < len(raw):
        tag, size, at = raw[at], raw[at + 1], at + 2
        if size > 127:
            count = size & 127
            size, at = int.from_bytes(raw[at:at + count], "big"), at + count
        found.append((tag, raw[at:at + size]))
        at += size
    return found


class Key:
    """A private key of keys/, with its public half in every form that a configuration may hold."""

    def __init__(self, name):
        self.name = name
        with open(path(name)) as f:
            body = "".join(line for line in f.read().split("\n") if "-----" not in line)
        inner = der_items(der_items(base64.b64decode(body))[0][1])[2][1]
        self.spki_pem = openssl("pkey", "-in", path(name), "-pubout").decode()
        self.spki = base64.b64decode("".join(self.spki_pem.split("\n")[1:-2]))
        if name == "jwt-ec":
            self.d = int.from_bytes(der_items(der_items(inner)[0][1])[1][1], "big")
        elif name != "jwt-ed":
            numbers = [int.from_bytes(content, "big") for _, content in der_items(der_items(inner)[0][1])]
            self.n, self.e, self.d = numbers[1:4]
            self.pkcs1_pem = openssl("rsa", "-in", path(name), "-RSAPublicKey_out").decode()

    def raw(self, encoded):
        """The RSA operation on an encoded message."""
        size = (self.n.bit_length() + 7) // 8
        return pow(int.from_bytes(encoded, "big"), self.d, self.n).to_bytes(size, "big")

    def pkcs1(self, message, algorithm="sha256"):
        """RSASSA-PKCS1-v1_5."""
        info = bytes.fromhex(DIGEST_INFO[algorithm]) + hashlib.new(algorithm, message).digest()
        size = (self.n.bit_length() + 7) // 8
        signature = self.raw(b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info)
        check(self, message, signature, "-" + algorithm)
        return signature

    def pss(self, message):
        """RSASSA-PSS with SHA-256 and a salt of 32 bytes."""
        bits = self.n.bit_length() - 1
        size = (bits + 7) // 8
        h = hashlib.sha256(b"\0" * 8 + hashlib.sha256(message).digest() + SALT).digest()
        block = b"\0" * (size - len(SALT) - len(h) - 2) + b"\1" + SALT
        mask = b"".join(hashlib.sha256(h + i.to_bytes(4, "big")).digest() for i in range(len(block) // 32 + 1))
        masked = bytearray(a ^ b for a, b in zip(block, mask))
        masked[0] &= 0xFF >> (8 * size - bits)
        signature = self.raw(bytes(masked) + h + b"\xbc")
        check(self, message, signature, "-sha256", "-sigopt", "rsa_padding_mode:pss")
        return signature

    def ecdsa(self, message):
        """ECDSA on P-256 with SHA-256 and the nonce of RFC 6979, as the 64 bytes of a token."""
        z = int.from_bytes(hashlib.sha256(message).digest(), "big")
        seed = self.d.to_bytes(32, "big") + (z % N).to_bytes(32, "big")
        k, v = b"\0" * 32, b"\1" * 32
        for separator in (b"\0", b"\1"):
            k = mac(k, v + separator + seed).digest()
            v = mac(k, v).digest()
        nonce = int.from_bytes(mac(k, v).digest(), "big")
        r = multiply(nonce, G)[0] % N
        s = pow(nonce, -1, N) * (z + r * self.d) % N
        der = b"".join(b"\x02" + bytes([len(i)]) + i for i in (x.to_bytes(33, "big").lstrip(b"\0") if x >> 248 & 0x80 == 0 or x < 1 << 248
                                                                else x.to_bytes(33, "big") for x in (r, s)))
        check(self, message, b"\x30" + bytes([len(der)]) + der, "-sha256")
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def eddsa(self, message):
        with tempfile.NamedTemporaryFile() as f:
            f.write(message)
            f.flush()
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", path(self.name), "-in", f.name)


def multiply(k, point):
    def add(a, b):
        if a is None or b is None:
            return a or b
        if a[0] == b[0] and (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
        x = (slope * slope - a[0] - b[0]) % P
        return x, (slope * (a[0] - x) - a[1]) % P
    total = None
    while k:
        total = add(total, point) if k & 1 else total
        point, k = add(point, point), k >> 1
    return total


def check(key, message, signature, *options):
    """Lets openssl verify, so that a mistake of ours cannot become a vector."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("key", key.spki_pem.encode()), ("sig", signature)):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(content)
        openssl("dgst", *options, "-verify", os.path.join(folder, "key"), "-signature", os.path.join(folder, "sig"), stdin=message)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def token(header, claims, sign):
    """A JWT in compact form; sign gets the signing input."""
    text = b64url(compact(header).encode()) + "." + b64url(compact(claims).encode())
    return text + "." + b64url(sign(text.encode()))
