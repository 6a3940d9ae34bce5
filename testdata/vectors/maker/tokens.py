"""The cases that every provider with Basic, access token or bearer shares."""

import json

from . import signing
from .signing import b64, b64url, compact

NOW = 1717245000  # 2024-05-31T12:30:00Z
ISSUER, AUDIENCE = "https://id.example.org/realm", "hookgate-intake"
KEYS = {name: signing.Key(name) for name in ("jwt", "jwt-foreign", "jwt-ec", "jwt-ed")}
BY_TEXT = {key.spki_pem: key for key in KEYS.values()}
HASHES = {"RS256": "sha256", "RS512": "sha512"}


def bearer_auth(*names, **more):
    return [{"scheme": "bearer", "keys": [KEYS[n].spki_pem for n in names or ("jwt",)], "issuer": ISSUER, "audience": AUDIENCE, **more}]


def claims(**more):
    found = {"iss": ISSUER, "aud": AUDIENCE, "sub": "platform", "iat": NOW - 60, "exp": NOW + 3600}
    found.update(more)
    return {k: v for k, v in found.items() if v is not None}


def rsa(algorithm="RS256", key="jwt", header=None, **more):
    head = {"alg": algorithm, "typ": "JWT", "kid": "2024-05"} if header is None else header
    return signing.token(head, claims(**more), lambda text: KEYS[key].pkcs1(text, HASHES[algorithm]))


def ec(**more):
    """A token of the P-256 key, whose value is a third as long: most claims are tried with it."""
    return signing.token({"alg": "ES256", "typ": "JWT"}, claims(**more), KEYS["jwt-ec"].ecdsa)


def jwk(key, kid, algorithm="RS256"):
    size = (key.n.bit_length() + 7) // 8
    return {"kty": "RSA", "kid": kid, "use": "sig", "alg": algorithm, "n": b64url(key.n.to_bytes(size, "big")), "e": "AQAB"}


def bearer_cases(book, deliver, short=False):
    """deliver(n) gives headers and body of the n-th of several different deliveries, without Authorization. short leaves out what is tried with another provider already."""
    count = iter(range(1000, 2000))
    book.keys.update(BY_TEXT)
    pem = KEYS["jwt"].spki_pem
    made = "Python, verified by openssl dgst"

    def send(name, value, auth=None, status=None, made_with=made, now=NOW, **more):
        headers, body = deliver(next(count))
        headers = headers + [("Authorization", v) for v in ([value] if isinstance(value, str) else value)]
        book.add("bearer: " + name, headers, body, auth=auth or bearer_auth(), status=status, now=now, made_with=made_with, **more)

    def ok(name, token, **more):
        send(name, "Bearer " + token, **more)

    def no(name, token, **more):
        send(name, "Bearer " + token, status=401, **more)

    ok("RS256", rsa())
    if short:
        no("expired an hour ago", rsa(iat=NOW - 7200, exp=NOW - 3600))
        no("wrong audience", rsa(aud="someone-else"))
        no("alg none, empty signature", signing.token({"alg": "none", "typ": "JWT"}, claims(), lambda t: b""), made_with="no signature")
        no("signed by a key that is not configured", rsa(key="jwt-foreign"))
        send("no Authorization header", [], status=401, made_with="no signature")
        return
    ok("RS512", rsa("RS512"))
    ok("ES256", signing.token({"alg": "ES256", "typ": "JWT"}, claims(), KEYS["jwt-ec"].ecdsa), auth=bearer_auth("jwt-ec"),
       made_with="Python (RFC 6979), verified by openssl dgst")
    ok("EdDSA", signing.token({"alg": "EdDSA", "typ": "JWT"}, claims(), KEYS["jwt-ed"].eddsa), auth=bearer_auth("jwt-ed"),
       made_with="openssl pkeyutl, Ed25519")
    ok("no kid in the token, the key is a PEM", rsa(header={"alg": "RS256"}))
    ok("rotation, the second of two keys", rsa(key="jwt-foreign"), auth=bearer_auth("jwt", "jwt-foreign"))
    ok("the audience is one of a list", ec(aud=["other", AUDIENCE]), auth=bearer_auth("jwt-ec"))
    ok("20 s after exp is inside the skew of 30 s", ec(exp=NOW - 20), auth=bearer_auth("jwt-ec"))
    ok("20 s before nbf is inside the skew of 30 s", ec(nbf=NOW + 20), auth=bearer_auth("jwt-ec"))
    ok("neither issuer nor audience is configured", rsa(iss="https://else.example.org", aud="else"), auth=[{"scheme": "bearer", "keys": [pem]}])
    jwks = compact({"keys": [jwk(KEYS["jwt"], "2024-05"), jwk(KEYS["jwt-foreign"], "2024-06"),
                             {"kty": "oct", "kid": "shared", "alg": "HS256", "k": b64url(b"a shared secret of 32 characters")}]})
    book.keys.update({"2024-05": KEYS["jwt"], "2024-06": KEYS["jwt-foreign"]})
    jwk_auth = [{"scheme": "bearer", "keys": [jwks], "issuer": ISSUER, "audience": AUDIENCE}]
    ok("a key set, the kid picks the key", rsa(key="jwt-foreign", header={"alg": "RS256", "kid": "2024-06"}), auth=jwk_auth)
    no("a key set, the kid of another of its keys", rsa(header={"alg": "RS256", "kid": "2024-06"}), auth=jwk_auth)
    no("a key set, an unknown kid", rsa(header={"alg": "RS256", "kid": "2019-01"}), auth=jwk_auth)
    hs256 = {"alg": "HS256", "typ": "JWT", "kid": "shared"}
    no("a key set with a symmetric key, HS256", signing.token(hs256, claims(), lambda t: signing.mac(b"a shared secret of 32 characters", t).digest()),
       auth=jwk_auth, made_with="Python hmac")
    no("expired an hour ago", ec(iat=NOW - 7200, exp=NOW - 3600), auth=bearer_auth("jwt-ec"))
    no("31 s after exp", ec(iat=NOW - 7200, exp=NOW - 31), auth=bearer_auth("jwt-ec"))
    no("no exp", ec(exp=None), auth=bearer_auth("jwt-ec"))
    no("nbf in ten minutes", ec(nbf=NOW + 600), auth=bearer_auth("jwt-ec"))
    no("wrong audience", ec(aud="someone-else"), auth=bearer_auth("jwt-ec"))
    no("a list of other audiences", ec(aud=["a", "b"]), auth=bearer_auth("jwt-ec"))
    no("no audience", ec(aud=None), auth=bearer_auth("jwt-ec"))
    no("wrong issuer", ec(iss="https://id.example.org/realm/"), auth=bearer_auth("jwt-ec"))
    no("no issuer", ec(iss=None), auth=bearer_auth("jwt-ec"))
    for word in ("none", "None", "NONE"):
        no("alg " + word + ", empty signature", signing.token({"alg": word, "typ": "JWT"}, claims(), lambda t: b""), made_with="no signature")
    for what, secret in (("PEM text", pem.encode()), ("DER", KEYS["jwt"].spki)):
        no("HS256 with the " + what + " of the public key as secret",
           signing.token({"alg": "HS256", "typ": "JWT", "kid": "2024-05"}, claims(), lambda t: signing.mac(secret, t).digest()), made_with="Python hmac")
    no("no alg", rsa(header={"typ": "JWT"}))
    no("alg ES256 over an RSA signature", rsa(header={"alg": "ES256", "typ": "JWT"}))
    no("signed by a key that is not configured", rsa(key="jwt-foreign"))
    no("a key of its own in the header (jwk) is not used", rsa(key="jwt-foreign", header={"alg": "RS256", "jwk": jwk(KEYS["jwt-foreign"], "x")}))
    head, body, tail = rsa().split(".")
    other = b64url(compact(claims(sub="root")).encode())
    no("claims changed after signing", head + "." + other + "." + tail)
    no("signature left out", head + "." + body + ".")
    no("two parts", head + "." + body, made_with="no signature")
    no("five parts, an encrypted token", ".".join([b64url(b'{"alg":"RSA-OAEP","enc":"A256GCM"}'), "AA", "AA", "AA", "AA"]), made_with="no signature")
    send("no Authorization header", [], status=401, made_with="no signature")
    send("two Authorization headers, both valid", ["Bearer " + rsa(), "Bearer " + rsa()], status=401)
    send("the token without the word Bearer", rsa(), status=401)
    send("Basic instead", "Basic " + b64(b"platform:password"), status=401, made_with="base64")
    headers, body = deliver(next(count))
    book.add("bearer: a token in the query is not looked at", headers, body, auth=bearer_auth(), status=401, now=NOW,
             path="/hooks/test?access_token=" + rsa(), made_with=made)
    book.check("bearer: without any key is refused when the configuration is loaded", 1, [{"scheme": "bearer", "issuer": ISSUER, "audience": AUDIENCE}])
    book.check("bearer: something that is no key is refused when the configuration is loaded", 1, [{"scheme": "bearer", "keys": ["no key at all"]}])


def basic_cases(book, deliver, short=False):
    """short leaves out what is tried with another provider already."""
    count = iter(range(2000, 3000))
    user = "gate-keeper:open:sesame 42"
    auth = [{"scheme": "basic", "users": [user]}]

    def send(name, values, status=None, auth=auth, made_with="base64"):
        headers, body = deliver(next(count))
        book.add("basic: " + name, headers + [("Authorization", v) for v in values], body, auth=auth, status=status, made_with=made_with)

    good = b64(user.encode())
    send("everything behind the first colon is the password", ["Basic " + good])
    send("the scheme word in lower case", ["basic " + good])
    send("the scheme word in capitals", ["BASIC " + good])
    uni = [{"scheme": "basic", "users": ["zoë:pässwörd-ключ"]}]
    send("user and password are UTF-8", ["Basic " + b64("zoë:pässwörd-ключ".encode())], auth=uni)
    send("the same in Latin-1", ["Basic " + b64("zoë:pässwörd".encode("latin-1"))], 401, auth=[{"scheme": "basic", "users": ["zoë:pässwörd"]}])
    two = [{"scheme": "basic", "users": ["old-user:old-password", user]}]
    send("rotation, the second of two users", ["Basic " + good], auth=two)
    send("rotation, the first of two users", ["Basic " + b64(b"old-user:old-password")], auth=two)
    send("the user of one pair with the password of the other", ["Basic " + b64(b"old-user:open:sesame 42")], 401, auth=two)
    if short:
        send("wrong password", ["Basic " + b64(b"gate-keeper:open:sesame 43")], 401)
        send("no Authorization header", [], 401, made_with="no signature")
        send("two headers, both valid", ["Basic " + good, "Basic " + good], 401)
        return
    for name, pair in (("wrong password", "gate-keeper:open:sesame 43"), ("wrong user", "gate-keepes:open:sesame 42"), ("password cut at its colon", "gate-keeper:open"),
                       ("password in capitals", "gate-keeper:OPEN:SESAME 42"), ("no password", "gate-keeper:"), ("no user", ":open:sesame 42"), ("no colon", "gate-keeper"),
                       ("a line break behind the password", user + "\n"), ("nothing", "")):
        send(name, ["Basic " + b64(pair.encode())], 401)
    pad = [{"scheme": "basic", "users": ["a?>~:b?>~12345678"]}]  # its base64 has + and / and padding
    text = b64(b"a?>~:b?>~12345678")
    send("base64 with all its letters", ["Basic " + text], auth=pad)
    assert text.endswith("=") and ("+" in text or "/" in text)
    send("base64 without its padding", ["Basic " + text.rstrip("=")], 401, auth=pad)
    send("base64 in the URL alphabet", ["Basic " + text.replace("+", "-").replace("/", "_")], 401, auth=pad)
    send("base64 with bits set behind its end", ["Basic " + bump(text)], 401, auth=pad)
    send("the pair in clear", ["Basic " + user], 401)
    send("no Authorization header", [], 401, made_with="no signature")
    send("an empty Authorization header", [""], 401, made_with="no signature")
    send("the scheme word alone", ["Basic"], 401, made_with="no signature")
    send("the value without the scheme word", [good], 401)
    send("Bearer in front", ["Bearer " + good], 401)
    send("two headers, the second valid", ["Basic " + b64(b"x:y"), "Basic " + good], 401)
    send("two headers, both valid", ["Basic " + good, "Basic " + good], 401)
    send("two credentials in one header", ["Basic " + good + ", Basic " + good], 401)
    book.check("basic: no user is refused when the configuration is loaded", 1, [{"scheme": "basic", "users": []}])
    book.check("basic: a user without a colon is refused when the configuration is loaded", 1, [{"scheme": "basic", "users": ["only-a-user-name"]}])


def bump(text):
    """Canonical base64 with one of the bits set that do not count."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body, pad = text.rstrip("="), text[len(text.rstrip("=")):]
    return body[:-1] + letters[letters.index(body[-1]) | 1] + pad


def access_token_cases(book, deliver):
    count = iter(range(3000, 4000))

    def send(name, values, status=None, **entry):
        headers, body = deliver(next(count))
        auth = [{"scheme": "access-token", **{"secrets": ["intake-token-5b8f0c"], **entry}}]
        book.add("access token: " + name, headers + [("Authorization", v) for v in values], body, auth=auth, status=status, made_with="none needed")

    send("the prefix is Bearer where none is configured", ["Bearer intake-token-5b8f0c"])
    send("a prefix of its own", ["CommBox-Key intake-token-5b8f0c"], prefix="CommBox-Key")
    send("an empty prefix: the token alone", ["intake-token-5b8f0c"], prefix="")
    send("rotation, the second of two tokens", ["Bearer intake-token-77aa91"], secrets=["intake-token-5b8f0c", "intake-token-77aa91"])
    send("an empty prefix, but one is sent", ["Bearer intake-token-5b8f0c"], 401, prefix="")
    send("another prefix", ["Token intake-token-5b8f0c"], 401)
    send("the prefix in lower case", ["bearer intake-token-5b8f0c"], 401)
    send("no prefix", ["intake-token-5b8f0c"], 401)
    send("two spaces behind the prefix", ["Bearer  intake-token-5b8f0c"], 401)
    send("the prefix alone", ["Bearer"], 401)
    send("another token", ["Bearer intake-token-5b8f0d"], 401)
    send("the token in capitals", ["Bearer INTAKE-TOKEN-5B8F0C"], 401)
    send("more behind the token", ["Bearer intake-token-5b8f0c0"], 401)
    send("the token cut", ["Bearer intake-token-5b8f0"], 401)
    send("two tokens in one header", ["Bearer intake-token-5b8f0c, Bearer intake-token-5b8f0c"], 401)
    send("two headers, both valid", ["Bearer intake-token-5b8f0c"] * 2, 401)
    send("no Authorization header", [], 401)
    send("an empty Authorization header", [""], 401)
    headers, body = deliver(next(count))
    book.add("access token: the token in another header", headers + [("X-Access-Token", "intake-token-5b8f0c")], body, status=401,
             auth=[{"scheme": "access-token", "prefix": "Bearer", "secrets": ["intake-token-5b8f0c"]}], made_with="none needed")
    book.check("access token: an empty token is refused when the configuration is loaded", 1, [{"scheme": "access-token", "prefix": "Bearer", "secrets": [""]}])
