"""Whether a request proves itself, decided anew from the headers: a second look at every case, valid or forged."""

import base64
import binascii
import hashlib
import hmac
import json
import re

from . import signing

SKEW = 30
RSA_HASHES = {"RS256": "sha256", "RS512": "sha512"}


def passes(case_auth, request, now, keys):
    return bool(case_auth) and all(SCHEMES[entry["scheme"]](entry, request, now, keys) for entry in case_auth)


def one(request, name):
    values = [v for n, v in request["headers"] if n.lower() == name.lower()]
    return values[0] if len(values) == 1 and values[0] else None


def canonical(text):
    try:
        raw = base64.b64decode(text or "", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if text and base64.b64encode(raw).decode() == text else None


def hub(entry, request, now, keys):
    return any(one(request, "X-Hub-Signature") == "sha256=" + hmac.new(s.encode(), request["body"], "sha256").hexdigest()
               for s in entry["secrets"])


def siq(entry, request, now, keys):
    signature = canonical(one(request, "x-siqsignature"))
    for text in entry["keys"]:
        key = keys[text]
        size = key.n.bit_length() // 8
        info = bytes.fromhex(signing.DIGEST_INFO["sha256"]) + hashlib.sha256(request["body"]).digest()
        wanted = b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info
        if signature and len(signature) == size and pow(int.from_bytes(signature, "big"), key.e, key.n).to_bytes(size, "big") == wanted:
            return True
    return False


def bird(entry, request, now, keys):
    stamp, signature = one(request, "messagebird-request-timestamp"), one(request, "messagebird-signature")
    if not stamp or not re.fullmatch("[0-9]{1,12}", stamp) or not signature:
        return False
    message = stamp.encode() + b"\n" + request["url"].encode() + b"\n" + hashlib.sha256(request["body"]).digest()
    good = any(base64.b64encode(hmac.new(s.encode(), message, "sha256").digest()).decode() == signature for s in entry["secrets"])
    return good and -300 <= now - int(stamp) <= 86400


def basic(entry, request, now, keys):
    word, _, rest = (one(request, "Authorization") or "").partition(" ")
    raw = canonical(rest)
    return word.lower() == "basic" and raw is not None and raw in [u.encode() for u in entry["users"]]


def access_token(entry, request, now, keys):
    prefix = entry.get("prefix", "Bearer")
    return one(request, "Authorization") in [prefix + " " + s if prefix else s for s in entry["secrets"]]


def from_url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def bearer(entry, request, now, keys):
    value = one(request, "Authorization") or ""
    parts = value[7:].split(".")
    if value[:7] != "Bearer " or len(parts) != 3:
        return False
    header, claims = json.loads(from_url(parts[0])), json.loads(from_url(parts[1]))
    text = (parts[0] + "." + parts[1]).encode()
    if not any(signed_by(key, header, text, from_url(parts[2])) for key in candidates(entry, header, keys)):
        return False
    audience = claims.get("aud", [])
    audience = [audience] if isinstance(audience, str) else audience
    return ("exp" in claims and now < claims["exp"] + SKEW and now >= claims.get("nbf", 0) - SKEW
            and entry.get("issuer") in (None, claims.get("iss")) and (entry.get("audience") is None or entry["audience"] in audience))


def candidates(entry, header, keys):
    for text in entry["keys"]:
        if text.startswith("{"):
            for jwk in json.loads(text)["keys"]:
                if jwk["kty"] != "oct" and jwk["kid"] == header.get("kid"):
                    yield keys[jwk["kid"]]
        else:
            yield keys[text]


def signed_by(key, header, text, signature):
    """The deterministic schemes give the same value again; ECDSA too, by RFC 6979."""
    algorithm = header.get("alg")
    if algorithm in RSA_HASHES and hasattr(key, "n"):
        return key.pkcs1(text, RSA_HASHES[algorithm]) == signature
    if algorithm == "ES256" and key.name == "jwt-ec":
        return key.ecdsa(text) == signature
    return algorithm == "EdDSA" and key.name == "jwt-ed" and key.eddsa(text) == signature


SCHEMES = {"hub-signature": hub, "siq-signature": siq, "bird-signature": bird, "basic": basic, "access-token": access_token,
           "bearer": bearer, "none": lambda *_: True}
