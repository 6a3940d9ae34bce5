#!/usr/bin/env python3
"""Makes the independent vectors of this folder: <scheme>.json, and the keys under keys/ where they are missing.

Run it here: python3 make.py. It needs only Python's standard library and the openssl command; every digest, MAC and
signature below is made by openssl, none by Hookgate. All keys and names are made up, but for those whose origin names a
provider's page. PS256 and ES256 signatures differ from run to run, which is in their nature.
"""
import base64
import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent
KEYS = HERE / "keys"


def openssl(*args, data=b""):
    return subprocess.run(["openssl", *args], input=data, stdout=subprocess.PIPE, check=True).stdout


def hmac(key, message):
    return openssl("dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:" + key.hex(), "-binary", data=message)


def sha256(message):
    return openssl("dgst", "-sha256", "-binary", data=message)


def b64(raw):
    return openssl("base64", "-A", data=raw).decode()


def b64url(raw):
    return b64(raw).rstrip("=").replace("+", "-").replace("/", "_")


def key(name, *args):
    """A private key under keys/, made once, and its public half."""
    private = KEYS / (name + ".key.pem")
    if not private.exists():
        private.write_bytes(openssl("genpkey", *args))
        (KEYS / (name + ".pub.pem")).write_bytes(openssl("pkey", "-in", str(private), "-pubout"))
    return str(private), (KEYS / (name + ".pub.pem")).read_text()


def rsa_key(name, bits=2048):
    return key(name, "-quiet", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}")


def ec_key(name, curve):
    return key(name, "-quiet", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}")


def case(name, origin, command, auth, headers, body=b"", target="/hooks/test", now=1719823264, keyid="", signedtime="", signedid=""):
    return {"name": name, "origin": origin, "command": command, "auth": auth, "now": now, "target": target,
            "headers": headers, "body_b64": base64.b64encode(body).decode(), "keyid": keyid, "signed_time": signedtime, **({"signed_id": signedid} if signedid else {})}


def write(scheme, *cases):
    for c in cases:
        c["auth"] = {"scheme": scheme, **c["auth"]}
    (HERE / (scheme + ".json")).write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n")


ODD = '\ufeff{"a" : 161.0,\r\n"a":"\\u002f\\/",  "b":"Olá ☃"}'.encode() + b"\xff\n"

# hub-signature
page_key = b"937565859393027346487dndjdjdbdbdk"
page_body = (b'{"id":"5f64826f9d0ae36ae18859ed","type":"campaign.deleted","payload":"4700_1","eventTime":1600422511077,'
             b'"subscriptionDetails":{"subscriptionId":"5efd98dbaaa2ac56bf57e0a2"}}')
hub_command = "openssl dgst -sha256 -mac HMAC -macopt hexkey:<key in hex> < body"
assert hmac(page_key, page_body).hex() == "2df797db5990c52c08dc4e174c26a09ac2fe9653a50e621a6b5d6cf2c4f1a5d9"
assert hmac(page_key, b"{}").hex() == "4a8b17112d80a4a39e7f291aac60d4715263ef290a4ba79594cefe55b3f3791a"


def hub(name, k, body, text, **more):
    return case(name, more.pop("origin", "openssl"), hub_command, {"secrets": more.pop("secrets", [k.decode()]), **more.pop("auth", {})},
                [["X-Hub-Signature", "sha256=" + text]], body, **more)


own = b"made-up-care-key-01"
write("hub-signature",
      hub("the sample key of Sprinklr's page", page_key, page_body, hmac(page_key, page_body).hex(),
          origin="key and event form from Sprinklr's page, digest by openssl", keyid="secrets[0]"),
      hub("the body of two bytes", page_key, b"{}", hmac(page_key, b"{}").hex(), keyid="secrets[0]"),
      hub("odd bytes, second of two keys", own, ODD, hmac(own, ODD).hex(), secrets=["another-made-up-key", own.decode()], keyid="secrets[1]"),
      hub("empty body", own, b"", hmac(own, b"").hex(), keyid="secrets[0]"),
      hub("upper case", own, ODD, hmac(own, ODD).hex().upper(), auth={"encoding": "HEX"}, keyid="secrets[0]"),
      hub("base64", own, ODD, b64(hmac(own, ODD)), auth={"encoding": "base64"}, keyid="secrets[0]"))

# siq-signature
siq_page_key = ("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsYheDGIHyDdjHu21H/Ek+ub3DVTn6Fnw4NZLsIf7MlxJBQBriQzxyoyD7hAsh5x1icZJ4T5nWdt1p++TYqvs"
                "AVYj/Z/yWV/ojlUBme7iTPbsjIcKqujwJYENuYVGUUGSucBL1Bxa48WvGNJP/PRIJWjoyDhv/yOUNle6t75KOifwWzautcNrYhmRWZ+EbXqRQoEg5NQweorX/aBOt6Bo"
                "Mm4CuV7eFz2PELPDFKYyCj7+EP/9vjB2zlNuy2MT+Jofo2f6i+yIXtuZdSIyCXPL2m6K0SofCCz7YGioU0PJfOrujoOBWTmqFrDfi5+7hyLjAq2qB0fVMFZXlFH8vfJz"
                "dQIDAQAB")
siq_page_body = (b'{"entity_type":"conversation","org_id":"20011223","event":"conversation.operator.replied","entity_id":"8000000004009","attempt":1,'
                 b'"version":"1","app_id":8000000000047,"entity":{"id":"8000000004009","message":{"sender":{"name":"Robin","id":"8000000000005"},'
                 b'"msgid":"1716560000251","text":"Hello, your parcel is on its way"}},"event_time":1716560000268}')
siq_page_signature = ("OEgXfelWkzsR+PaSKFyaO3sLDPuoEtaZGTEXPsDA2gSKOkvEbGOnhEx9Y5Ga9ijaHwcT2jpJX+HIdwqAUibji7jDJIOfSEsiglox/mct/PZM7sOhA53BmxDpDKsSuyTb"
                      "IjZZ2u6fTNJrbs2cMpM36/8vVZCpLxIDugfeLixtS1Gz/kobLSpB9HrPrTzQI3Wbygsy1ozSBnWH0ESNxBGoZ96NLx3V71+iVeJV62jvTGGveOVmFoL52Vgzua5UUJn0"
                      "C2puMMDib6RBRF/qfcjsXlSGPlZZ2MHgfHihlSK5S+bPi/ZllZ63RkmNV/fLggAhfneMbnZr2IOd0KPo9ISP7Q==")
assert len(siq_page_body) == 351
siq_private, siq_public = rsa_key("siq")
siq_spare_private, siq_spare_public = rsa_key("siq-spare", 3072)
siq_command = "openssl dgst -sha256 -sign keys/siq.key.pem < body | openssl base64 -A"


def siq(name, keys, private, body, keyid):
    return case(name, "openssl", siq_command.replace("siq", pathlib.Path(private).name.split(".")[0]), {"keys": keys},
                [["X-Siqsignature", b64(openssl("dgst", "-sha256", "-sign", private, data=body))]], body, keyid=keyid)


pkcs1 = openssl("rsa", "-pubin", "-in", str(KEYS / "siq.pub.pem"), "-RSAPublicKey_out").decode()
bare = "".join(siq_public.splitlines()[1:-1])
write("siq-signature",
      case("worked example, key as bare base64", "Python's cryptography package, checked with openssl", siq_command, {"keys": [siq_page_key]},
           [["X-Siqsignature", siq_page_signature]], siq_page_body, keyid="keys[0]"),
      siq("PEM, odd bytes", [siq_public], siq_private, ODD, "keys[0]"),
      siq("PKCS #1 PEM", [pkcs1], siq_private, ODD, "keys[0]"),
      siq("PEM with line breaks written out", [siq_public.replace("\n", "\\n")], siq_private, ODD, "keys[0]"),
      siq("bare base64 over lines, second key of another size", [siq_public, "\r\n".join(siq_spare_public.splitlines()[1:-1])],
          siq_spare_private, ODD, "keys[1]"),
      siq("empty body", [bare], siq_private, b"", "keys[0]"))

# bird-signature
bird_command = "(printf '%s\\n%s\\n' TIME URL; openssl dgst -sha256 -binary < body) | openssl dgst -sha256 -mac HMAC -macopt hexkey:<key in hex> -binary | openssl base64 -A"


def bird(name, secrets, signer, url, target, body, expect=None, origin="openssl", timestamp="1719823259", **more):
    signature = b64(hmac(secrets[signer].encode(), f"{timestamp}\n{url}{target}\n".encode() + sha256(body)))
    assert expect in (None, signature)
    return case(name, origin, bird_command, {"secrets": secrets, "public_url": url},
                [["Messagebird-Request-Id", "7f6b1f0a-0000-4000-8000-000000000001"], ["Messagebird-Request-Timestamp", timestamp],
                 ["Messagebird-Signature", signature]], body, target=target, keyid=f"secrets[{signer}]", signedtime=timestamp, **more)


snow = '{"service":"channels","event":"sms.inbound","payload":{"id":"m1","body":{"type":"text","text":{"text":"Olá ☃"}}}}'.encode()
assert len(snow) == 116
write("bird-signature",
      bird("worked example, key that looks like base64", ["KeV+/HGoIQrxuE5YPCRR6AuQOJveldYNNhbVi1i22qk="], 0, "https://example.com", "/webhook", snow,
           "Q7R0Q+MzBs7Pbtgbi1M3OGNMhtSrCBKs7RkgqiJAzH0="),
      bird("the sample key of Bird's page", ["secureSigningKey"], 0, "https://domain.com", "/webhook/bird", b'{"foo":"bar"}',
           "BgCeL4bDmhDk1WJvnFXrthkAmeBk1KSDulf8Qb1kpwI=", "key, URL and body from Bird's page, signature by openssl"),
      bird("port, query as received, second of two keys", ["made-up-bird-key-1", "made-up-bird-key-2"], 1, "https://hooks.example.com:8443",
           "/hooks/test?team=a%20b&x=%2F", ODD),
      bird("a retry seven hours and 59 minutes later", ["made-up-bird-key-1"], 0, "https://hooks.example.com", "/hooks/test", b"{}", now=1719823259 + 28740))

# basic and access-token: nothing but base64 and a comparison
basic_command = "printf '%s' 'user:password' | openssl base64 -A"


def basic(name, users, used, word="Basic", **more):
    return case(name, more.pop("origin", "openssl"), basic_command, {"users": users}, [["Authorization", word + " " + b64(users[used].encode())]],
                keyid=f"users[{used}]", **more)


assert b64(b"hookuser:hookpass") == "aG9va3VzZXI6aG9va3Bhc3M="
write("basic",
      basic("CommBox and Netcore example", ["hookuser:hookpass"], 0),
      basic("colons in the password, second user", ["panel:s3cret", "care:p4ss:word:"], 1),
      basic("UTF-8, the scheme word in capitals", ["größe:schlüssel☃"], 0, word="BASIC"),
      basic("longer than a line of base64", ["user:" + "p" * 200], 0))


def token(name, prefix, secrets, used, value, origin="written out by hand"):
    auth = {"secrets": secrets} if prefix is None else {"secrets": secrets, "prefix": prefix}
    return case(name, origin, "none: the value is the text itself", auth, [["Authorization", value]], keyid=f"secrets[{used}]")


write("access-token",
      token("CommBox example", None, ["s3cr3t-token"], 0, "Bearer s3cr3t-token"),
      token("another prefix, second token", "Token", ["first-token", "abc-123"], 1, "Token abc-123"),
      token("the token alone", "", ["abc-123"], 0, "abc-123"),
      token("a blank inside the token", None, ["two words"], 0, "Bearer two words"))

# bearer
jwt_private, jwt_public = rsa_key("jwt")
p256_private, p256_public = ec_key("jwt-p256", "P-256")
p384_private, p384_public = ec_key("jwt-p384", "P-384")
ed_private, ed_public = key("jwt-ed25519", "-quiet", "-algorithm", "ED25519")


def raw_ecdsa(der, size):
    """DER SEQUENCE of two INTEGERs (short form, at most 104 bytes here) to r and s of fixed size."""
    assert der[0] == 0x30 and der[2] == 0x02
    r = der[4:4 + der[3]]
    s = der[6 + der[3]:]
    return b"".join(int.from_bytes(n, "big").to_bytes(size, "big") for n in (r, s))


def sign(alg, private, message):
    if alg == "EdDSA":
        path = HERE / "message.tmp"  # openssl reads a message for Ed25519 from a file only
        path.write_bytes(message)
        try:
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", private, "-in", str(path))
        finally:
            path.unlink()
    digest = "-sha" + alg[2:]
    if alg.startswith("PS"):
        return openssl("dgst", digest, "-sign", private, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", data=message)
    signature = openssl("dgst", digest, "-sign", private, data=message)
    return raw_ecdsa(signature, {"ES256": 32, "ES384": 48}[alg]) if alg.startswith("ES") else signature


CLAIMS = {"iss": "https://login.example.com", "aud": "hookgate", "sub": "client-1", "iat": 1719823200, "exp": 1719826800}


def jwt(alg, private, claims=CLAIMS, **header):
    head = {"alg": alg, "typ": "JWT", **header}
    signed = ".".join(b64url(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    return signed + "." + b64url(sign(alg, private, signed.encode()))


def modulus(path):
    return bytes.fromhex(openssl("rsa", "-in", path, "-noout", "-modulus").decode().strip().split("=")[1])


def point(path, size):
    der = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")[-size:]
    return der


RSA_JWK = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1", "n": b64url(modulus(jwt_private)), "e": "AQAB"}
EC_JWK = {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "k2", "x": b64url(point(p256_private, 64)[:32]), "y": b64url(point(p256_private, 64)[32:])}
OKP_JWK = {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": b64url(point(ed_private, 32))}
ENC_JWK = {**RSA_JWK, "use": "enc", "alg": "RSA-OAEP", "kid": "k3"}
SET = json.dumps({"keys": [RSA_JWK, EC_JWK, OKP_JWK, ENC_JWK]})
both = {"issuer": "https://login.example.com", "audience": "hookgate"}


def bearer(name, alg, private, keys, keyid, auth=both, word="Bearer", claims=CLAIMS, **header):
    return case(name, "openssl", "openssl dgst or pkeyutl -sign over header.claims, see sign() in make.py", {"keys": keys, **auth},
                [["Authorization", word + " " + jwt(alg, private, claims, **header)]], b"{}", keyid=keyid)


write("bearer",
      bearer("RS256, PEM, the kid plays no part", "RS256", jwt_private, [jwt_public], "keys[0]", kid="k9"),
      bearer("RS512, the word in lower case, no issuer or audience asked for", "RS512", jwt_private, [jwt_public], "keys[0]", auth={}, word="bearer"),
      bearer("PS256, second of two keys", "PS256", jwt_private, [p256_public, jwt_public], "keys[1]"),
      bearer("ES256, PEM", "ES256", p256_private, [p256_public], "keys[0]"),
      bearer("ES384, PEM", "ES384", p384_private, [p384_public], "keys[0]"),
      bearer("EdDSA, PEM", "EdDSA", ed_private, [ed_public], "keys[0]"),
      bearer("RS256, key set, by kid", "RS256", jwt_private, [SET], "k1", kid="k1"),
      bearer("ES256, key set, token without kid", "ES256", p256_private, [SET], "k2"),
      bearer("EdDSA, key set, key without kid", "EdDSA", ed_private, [SET], "keys[0]", kid="unknown"),
      bearer("a list of audiences, nbf and at+jwt", "RS256", jwt_private, [jwt_public], "keys[0]",
             claims={**CLAIMS, "aud": ["other", "hookgate"], "nbf": 1719823200}, typ="at+jwt"))

# standard-webhooks
def standard(name, secrets, signer, ident, body, expect=None, origin="openssl", timestamp="1719823259", others="", **more):
    key = base64.b64decode(secrets[signer].removeprefix("whsec_"))
    signature = b64(hmac(key, f"{ident}.{timestamp}.".encode() + body))
    assert expect in (None, signature)
    return case(name, origin, "printf '%s.%s.' ID TIME | cat - body | openssl dgst -sha256 -mac HMAC -macopt hexkey:<key in hex> -binary | openssl base64 -A",
                {"secrets": secrets}, [["Webhook-Id", ident], ["Webhook-Timestamp", timestamp], ["Webhook-Signature", others + "v1," + signature]], body,
                keyid=f"secrets[{signer}]", signedtime=timestamp, signedid=ident, **more)


library_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
own_secret = "whsec_" + b64(b"a made-up key of thirty-two byte")
write("standard-webhooks",
      standard("the sample of the reference library's test", [library_secret], 0, "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}',
               "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "secret, id, time, body and signature from the reference library's test", timestamp="1614265330", now=1614265330),
      standard("odd bytes, second of two keys", [own_secret, library_secret], 1, "evt:7-A_b/c+d=", ODD),
      standard("other versions beside it", [own_secret], 0, "msg_1", b"{}",
               others="v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg== v2,x "),
      standard("empty body", [own_secret], 0, "m", b""))

# hmac, as declarations describe it: every encoding and algorithm, every way to decode the key, every word of the template
ENCODINGS = {"hex": lambda m: m.hex(), "HEX": lambda m: m.hex().upper(), "base64": b64, "base64url": b64url, "base64url-padded": lambda m: b64(m).replace("+", "-").replace("/", "_")}
hmac_key = b"a made-up key of thirty-two byte"
SECRETS = {"raw": hmac_key.decode(), "base64": b64(hmac_key), "hex": hmac_key.hex(), "whsec": "whsec_" + b64(hmac_key)}


def mac(algorithm, message):
    return openssl("dgst", "-" + algorithm, "-mac", "HMAC", "-macopt", "hexkey:" + hmac_key.hex(), "-binary", data=message)


def declared(name, declaration, message, headers, target="/hooks/test", **more):
    declaration = {"name": "made-up", "header": "X-Sum", **declaration}
    algorithm, encoding = declaration.get("algorithm", "sha256"), declaration.get("encoding", "hex")
    text = declaration.get("prefix", "") + ENCODINGS[encoding](mac(algorithm, message))
    if "pair" in declaration:
        text = headers.pop("pairs") + declaration["pair"] + "=" + text
    return case(name, "openssl", f"openssl dgst -{algorithm} -mac HMAC -macopt hexkey:<key in hex> -binary, written as {encoding}",
                {"secrets": [SECRETS[declaration.get("key", "raw")]], "public_url": "https://hooks.example.com", "declaration": declaration},
                [[declaration["header"], text], *([k, v] for k, v in headers.items())], ODD, target=target, keyid="secrets[0]", **more)


write("hmac",
      *(declared(f"{a} as {e}", {"algorithm": a, "encoding": e}, ODD, {}) for a in ("sha256", "sha512", "sha1") for e in ENCODINGS),
      *(declared(f"the key as {k}", {"key": k}, ODD, {}) for k in SECRETS),
      declared("a prefix with a blank", {"prefix": "HMAC ", "encoding": "base64", "header": "Authorization"}, ODD, {}),
      declared("a time in a header of its own", {"signed": "v0:{timestamp}:{body}", "prefix": "v0=", "timestamp": {"header": "X-Time"}},
               b"v0:1719823259:" + ODD, {"X-Time": "1719823259"}, signedtime="1719823259"),
      declared("a time in milliseconds behind the body", {"signed": "{body}{timestamp}", "timestamp": {"header": "X-Time", "unit": "ms"}},
               ODD + b"1719823259123", {"X-Time": "1719823259123"}, signedtime="1719823259123"),
      declared("pairs, with others among them", {"signed": "{timestamp}.{body}", "pair": "v1", "timestamp": {"pair": "t"}},
               b"1719823259." + ODD, {"pairs": "t=1719823259,v0=00,v1=" + "0" * 64 + ","}, signedtime="1719823259"),
      declared("id, method and URL, with line feeds", {"signed": r"{method}\n{url}\n{id}\n{timestamp}\n\\{body}", "id": "X-Id", "timestamp": {"header": "X-Time"}},
               b"POST\nhttps://hooks.example.com/hooks/test?a=b.c\nid-7\n1719823259\n\\" + ODD,
               {"X-Id": "id-7", "X-Time": "1719823259"}, target="/hooks/test?a=b.c", signedtime="1719823259", signedid="id-7"),
      declared("the URL and the body with nothing between", {"signed": "{url}{body}"}, b"https://hooks.example.com/hooks/test" + ODD, {}),
      declared("the target behind the body", {"signed": "{body};{target}"}, ODD + b";/hooks/test?x=%2F", {}, target="/hooks/test?x=%2F"))

# keys that must be refused
rsa_key("small", 1024)
ec_key("p224", "secp224r1")
if not (KEYS / "cert.pem").exists():
    (KEYS / "cert.pem").write_bytes(openssl("req", "-x509", "-key", siq_private, "-subj", "/CN=made up", "-days", "36500"))

write("none", case("nothing is proved", "written out by hand", "none", {}, [], b"{}"))
