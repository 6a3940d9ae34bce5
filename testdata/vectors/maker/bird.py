"""Bird's cases."""

import base64
import hashlib

from . import cases, taxonomy
from .signing import b64, compact, mac

SECRET = "Zm9yZ290dGVuLXNpZ25pbmcta2V5LTAx"  # looks like base64 and is used as the characters it is made of
AUTH = [{"scheme": "bird-signature", "secrets": [SECRET]}]
NOW, STAMP = 1717245005, "1717245000"
MADE = "Python hmac"
CHANNEL, ORG = "5b1f2c88-7a11-4c1e-9d55-0000000000c1", "0e9c44b2-3f0a-4a58-8d7d-0000000000d1"
TIMES = {"lastStatusAt": "2024-06-01T12:29:58.123Z", "createdAt": "2024-06-01T12:29:50.001Z", "updatedAt": "2024-06-01T12:29:59.999Z"}
TEXT = {"type": "text", "text": {"text": "Wann öffnet ihr morgen?"}}
INBOUND = {"channelId": CHANNEL, "sender": {"contact": {"id": "c-1", "identifierKey": "phonenumber", "identifierValue": "+4915100000001"}},
           "receiver": {"connector": {"id": "k-1", "identifierValue": ""}}, "body": TEXT, "meta": {"extraInformation": {"timestamp": "1717244990"}},
           "reference": "", "parts": [{"platformReference": "wamid.sample"}], "status": "delivered", "reason": "", "direction": "incoming", **TIMES}
OUTBOUND = {"channelId": CHANNEL, "sender": {"connector": {"id": "k-1", "identifierValue": "Shop"}},
            "receiver": {"contacts": [{"identifierKey": "phonenumber", "identifierValue": "+4915100000001"}]},
            "body": {"type": "image", "image": {"images": [{"mediaUrl": "https://media.example.net/a?b=1&c=2", "contentType": "image/png"}]}},
            "status": "sent", "direction": "outgoing", "template": {"projectId": "p-1", "locale": "de", "variables": {}}, **TIMES}
SMALL = {"body": {"text": "morgen"}, "lastStatusAt": TIMES["lastStatusAt"]}
INTERACTION = {"messageId": "msg-4711", "channelId": CHANNEL, "type": "opened", "details": {}, "createdAt": "2024-06-01T12:29:50.5Z"}
CONVERSATION = {"name": "", "status": "active", "visibility": "public", "featuredParticipants": [{"type": "contact", "displayName": "Noa"}], "activeParticipantCount": 2}
NUMBER = {"organizationId": ORG, "workspaceId": ["w-1"], "status": "PENDING", "createdAt": "2024-05-30T08:00:00Z", "updatedAt": "2024-06-01T08:00:00+02:00"}


def payload(native):
    last = native.split(".")[-1]
    if native.startswith("channels.voice"):
        return {"from": "+4915100000001", "status": "ringing"}
    if native.startswith("channels.channel."):
        return {"platformId": "whatsapp", "status": "active", "createdAt": TIMES["createdAt"]}
    if native.split(".")[1] not in ("sms", "whatsapp", "email"):
        if last in ("inbound", "outbound"):
            return {**SMALL, "channelId": CHANNEL, "direction": {"inbound": "incoming", "outbound": "outgoing"}[last]}
    return detailed(native, last)


def detailed(native, last):
    return {"inbound": INBOUND, "outbound": OUTBOUND, "interaction": INTERACTION}.get(last) or (CONVERSATION if native.startswith("conversations") else NUMBER)


def envelope(n, event="sms.inbound", content=SMALL, service="channels", **more):
    content = {"id": "b17d0000-0000-4000-8000-%012d" % n, **content, **more} if isinstance(content, dict) else content
    found = {"service": service, "event": event, "payload": {k: v for k, v in content.items() if v is not ...} if isinstance(content, dict) else content}
    return compact({k: v for k, v in found.items() if v is not ...}).encode()


def request_id(n):
    return "3c0ffee0-0000-4000-8000-%012d" % n


def value(body, stamp=STAMP, url=cases.BASE + cases.PATH, secret=SECRET):
    return b64(mac(secret, stamp.encode() + b"\n" + url.encode() + b"\n" + hashlib.sha256(body).digest()).digest())


def headers(signature, stamp=STAMP, number=None):
    found = [("Content-Type", "application/json")]
    found += [("messagebird-request-id", request_id(number))] if number is not None else []
    found += [("messagebird-request-timestamp", stamp)] if stamp is not None else []
    return found + ([("messagebird-signature", signature)] if signature is not None else [])


def sign(body, number=None, stamp=STAMP, path=cases.PATH, secret=SECRET):
    return headers(value(body, stamp, cases.BASE + path, secret), stamp, number)


def book():
    b = cases.Book("bird", AUTH)
    for n, native in enumerate(taxonomy.rows("bird")):
        service, _, event = native.replace("*", "kakaotalk").partition(".")
        body = envelope(n, event, payload(native), service)
        b.add(service + "." + event, sign(body, n), body, now=NOW, want=[{"type": "bird." + service + "." + event, "nativeid": request_id(n)}], made_with=MADE)
    counter = iter(range(500, 900))

    def send(name, body, number=None, stamp=STAMP, now=NOW, path=cases.PATH, **more):
        b.add(name, sign(body, number, stamp, path), body, now=now, path=path, made_with=MADE, **more)

    envelopes(b, send, counter)
    windows(b, send, counter)
    unsigned(b, counter)
    unreadable(b, send, counter)
    refused(b, counter)
    cases.edge(b, lambda body, path=cases.PATH: sign(body, 1, path=path), envelope(498), now=NOW, made_with=MADE)
    configuration(b)
    return b.cases


def envelopes(b, send, counter):
    new = lambda **more: envelope(next(counter), **more)
    for status in ("accepted", "sent", "delivered", "sending_failed", "delivery_failed", "rejected", "read", "failed", "pending", "queued", "a-new-one"):
        n = next(counter)
        send("message status " + status, envelope(n, "whatsapp.outbound", SMALL, status=status, reason="" if "fail" not in status else "unknown subscriber"), n)
    for name, text, time in (("with an offset ahead", "2024-06-01T14:29:58.5+02:00", "2024-06-01T12:29:58.500Z"), ("with an offset behind", "2024-06-01T05:59:58-06:30", "2024-06-01T12:29:58.000Z"),
                             ("with nanoseconds, cut and not rounded", "2024-06-01T12:29:58.999999999Z", "2024-06-01T12:29:58.999Z"), ("without a fraction", "2024-06-01T12:29:58Z", "2024-06-01T12:29:58.000Z"),
                             ("with one decimal", "2024-06-01T12:29:58.4Z", "2024-06-01T12:29:58.400Z"), ("over a day's end", "2024-06-01T23:30:00-01:00", "2024-06-02T00:30:00.000Z"),
                             ("on a leap day", "2024-02-29T00:00:00+00:00", "2024-02-29T00:00:00.000Z")):
        send("lastStatusAt " + name, new(lastStatusAt=text), want=[{"time": time, "timesource": "event"}])
    send("no lastStatusAt: updatedAt", new(content={**SMALL, **TIMES}, lastStatusAt=...), want=[{"time": TIMES["updatedAt"]}])
    send("lastStatusAt null, updatedAt empty: createdAt", new(content={**SMALL, **TIMES}, lastStatusAt=None, updatedAt=""), want=[{"time": TIMES["createdAt"]}])
    send("no time in the payload: the signed timestamp", new(content={}), want=[{"time": "2024-06-01T12:30:00.000Z", "timesource": "event"}])
    send("no payload: the signed timestamp, no subject", compact({"service": "channels", "event": "sms.inbound"}).encode(), want=[{"subject": None, "time": "2024-06-01T12:30:00.000Z"}])
    send("an interaction names its message", new(event="email.interaction", content=INTERACTION), want=[{"subject": "msg-4711"}])
    n = next(counter)
    send("an interaction without a message names itself", envelope(n, "email.interaction", INTERACTION, messageId=...), want=[{"subject": "b17d0000-0000-4000-8000-%012d" % n}])
    send("an interaction of a channel that is not listed", new(event="sms.interaction", content=INTERACTION), want=[{"subject": "msg-4711", "action": "interacted"}])
    send("a message with a messageId keeps its own id", new(messageId="msg-4712", id="own-id"), want=[{"subject": "own-id"}])
    send("payload.id as a number", new(id=9007199254740993), want=[{"subject": "9007199254740993"}])
    send("payload.id empty: no subject", new(id=""), want=[{"subject": None}])
    send("payload a text: no subject", new(content="gone"), want=[{"subject": None}])
    send("organizationId of a message is the tenant", new(organizationId=ORG), want=[{"tenant": ORG}])
    for name, org in (("a number", 42), ("an object", {"id": ORG}), ("null", None), ("empty", "")):
        send("organizationId " + name + ": no tenant", new(organizationId=org), want=[{"tenant": None}])
    send("the service payments is in no table", new(service="payments", event="payment.link.paid"),
         want=[{"type": "bird.payments.payment.link.paid", "entitytype": "payment", "action": "paid"}])
    send("an unknown event in mixed case", new(service="Numbers", event="Endpoint.Ported"), want=[{"type": "bird.numbers.endpoint.ported", "entitytype": "endpoint", "action": "ported"}])
    send("an unknown event of one segment", new(service="numbers", event="porting"), want=[{"type": "bird.numbers.porting", "entitytype": "porting", "action": "porting"}])
    send("the star stands for one segment only", new(event="apple.business.inbound"), want=[{"type": "bird.channels.apple.business.inbound", "entitytype": "apple", "action": "inbound"}])
    send("the star stands for a channel in any case", new(event="WeChat.inbound"), want=[{"type": "bird.channels.wechat.inbound", "entitytype": "message", "action": "received"}])
    send("inbound of another service is unknown", new(service="numbers", event="sms.inbound"), want=[{"entitytype": "sms", "action": "inbound"}])
    for name, more in (("no service", {"service": ...}), ("service null", {"service": None}), ("no event", {"event": ...}), ("event empty", {"event": ""})):
        send(name + ": unknown", new(content={}, id=..., **more), want=[{"type": "bird.unknown", "entitytype": "unknown", "action": "unknown", "subject": None}])
    send("{} is no probe here", b"{}", want=[{"type": "bird.unknown"}])
    b.add("{} unsigned is refused", [("Content-Type", "application/json")], b"{}", status=401, now=NOW)
    n = next(counter)
    body = envelope(n)
    first = "a delivery to be compared"
    send(first, body, n)
    send("a line break behind the body: other signed bytes, another event, the same data", body + b"\n", n, after=[first])
    send("the same content under another request id", body, n + 1, after=[first], outcome="duplicate", classes=["replay"])
    send("the same content without a request id", body, after=[first], outcome="duplicate", classes=["replay"])
    send("the same content with another timestamp is another event", body, n, stamp="1717245001", after=[first])
    b.add("the same content to another query, signed anew, is the same event", sign(body, n, path=cases.PATH + "?a=1"), body, path=cases.PATH + "?a=1", now=NOW, after=[first],
          outcome="duplicate", classes=["replay"], made_with=MADE)
    send("no request id: no nativeid", new(), want=[{"nativeid": None}])
    for name, query in (("in its own order", "?b=2&a=1"), ("with escapes as received", "?q=a%20b%2Fc%2fd&e=%C3%A9"), ("with a plus", "?q=a+b"), ("with an empty value", "?token=&x"), ("with a second question mark", "?a=?b")):
        send("the signed URL has a query " + name, new(), path=cases.PATH + query)
    body = new()
    b.add("the signed URL of a source with a path of its own", sign(body, path="/in/bird"), body, source={"path": "/in/bird"}, path="/in/bird", now=NOW, made_with=MADE)
    body = new()
    spoofed = [("X-Forwarded-Host", "evil.example.com"), ("X-Forwarded-Proto", "http"), ("Forwarded", "host=evil.example.com;proto=http"), ("X-Original-URL", "/x")]
    b.add("forwarded hosts change nothing", sign(body) + spoofed, body, now=NOW, made_with=MADE)
    body = new()
    b.add("header names in capitals", [(n.upper(), v) for n, v in sign(body, 7)], body, now=NOW, want=[{"nativeid": request_id(7)}], made_with=MADE)
    body = new()
    b.add("no Content-Type", sign(body)[1:], body, now=NOW, made_with=MADE)
    body = new()
    b.add("the Content-Type decides nothing", [("Content-Type", "text/plain")] + sign(body)[1:], body, now=NOW, made_with=MADE)
    send("white space around the body is signed but not data", b" \r\n" + new() + b"\n")
    send("doubles, escapes and odd numbers keep their bytes", new(odd="@").replace(b'"@"', b'[161.0,1.0E-4,-0,1e400,"\\u00e9\\/\\ud83d\\ude42"]'))
    send("a byte that is no UTF-8", new(id="odd").replace(b"morgen", b"mor\xffgen"), want=[{"subject": "odd"}])
    send("a byte that is no UTF-8 in payload.id", new(id="odd-id").replace(b"odd-id", b"odd\xffid"), want=[{"subject": "odd\ufffdid"}])
    send("a lone surrogate in payload.id", new(id="odd-id").replace(b"odd-id", b"odd\\udfffid"), want=[{"subject": "odd\ufffdid"}])
    send("control characters in payload.id", new(id="a\r\nb\x00c"), want=[{"subject": "a\ufffd\ufffdb\ufffdc"}])
    send("a depth of 64 is read", new(deep="@").replace(b'"@"', cases.nested(62)))
    send("names are exact: Payload and ID", compact({"service": "channels", "event": "sms.inbound", "Payload": {"id": "x"}, "payload": {"ID": "y"}}).encode(), want=[{"subject": None}])
    attempt = {"dedupe": {"by": "attempt"}}
    body = new()
    send("dedupe by attempt: the id ends in -1", body, source=attempt)
    send("dedupe by attempt: the same again", body, source=attempt, after=["dedupe by attempt: the id ends in -1"], outcome="duplicate", classes=["replay"])


def windows(b, send, counter):
    at = int(STAMP)
    for name, now in (("exactly 24 h old", at + 86400), ("one second inside 24 h", at + 86399), ("7 h 59 min old, as the last retry", at + 28740), ("exactly 300 s ahead", at - 300),
                      ("299 s ahead", at - 299), ("of this second", at)):
        send("timestamp " + name + " passes", envelope(next(counter)), now=now)
    n = next(counter)
    first = "first of a retried delivery"
    send(first, envelope(n), n)
    for name, now in (("10 s", at + 15), ("8 h", at + 28800), ("exactly 24 h", at + 86400)):
        send("the retry after " + name + " is a replay", envelope(n), n, now=now, after=[first], outcome="duplicate", classes=["replay"])
    body = envelope(next(counter))
    for name, now in (("one second over 24 h old", at + 86401), ("two days old", at + 172800), ("301 s ahead", at - 301), ("a year ahead", at - 31536000)):
        b.add("refused: timestamp " + name, sign(body), body, now=now, status=401, made_with=MADE)
    rotated = [{"scheme": "bird-signature", "secrets": ["retired-signing-key-01", SECRET, "coming-signing-key-03"]}]
    for place, secret in (("first", "retired-signing-key-01"), ("second", SECRET), ("third", "coming-signing-key-03")):
        content = envelope(next(counter))
        b.add("rotation: the " + place + " of three secrets", sign(content, secret=secret), content, auth=rotated, now=NOW, made_with=MADE)
    b.add("rotation: none of three secrets", sign(body, secret="unknown-signing-key-9"), body, auth=rotated, now=NOW, status=401, made_with=MADE)
    n = next(counter)
    one = "a delivery under the retired secret"
    b.add(one, sign(envelope(n), secret="retired-signing-key-01"), envelope(n), auth=rotated, now=NOW, made_with=MADE)
    b.add("the same under the new secret is a replay", sign(envelope(n)), envelope(n), auth=rotated, now=NOW, after=[one], outcome="duplicate", classes=["replay"], made_with=MADE)
    for name, secret in (("with white space and quotes", "  a 'signing' \"key\"  "), ("in UTF-8", "подпись-ключ-✓"), ("that starts with whsec_", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")):
        content = envelope(next(counter))
        b.add("a secret " + name + " is used as typed", sign(content, secret=secret), content, auth=[{"scheme": "bird-signature", "secrets": [secret]}], now=NOW, made_with=MADE)


def unsigned(b, counter):
    none = [{"scheme": "none"}]
    n = next(counter)
    first = "unsigned: the request id is the identity"
    b.add(first, headers(None, STAMP, n), envelope(n), auth=none, want=[{"nativeid": request_id(n), "time": TIMES["lastStatusAt"]}])
    b.add("unsigned: the same request id with another body is the same event", headers(None, STAMP, n), envelope(n, status="read"), auth=none, after=[first], outcome="duplicate", classes=["replay"])
    b.add("unsigned: the same body under another request id is another event", headers(None, STAMP, n + 300), envelope(n), auth=none, after=[first])
    b.add("unsigned: no timestamp header is needed", headers(None, None, n), envelope(n), auth=none, after=[first], outcome="duplicate", classes=["replay"])
    body = envelope(next(counter))
    digest = "unsigned without a request id: digest of the event"
    b.add(digest, headers(None, STAMP), body, auth=none, want=[{"nativeid": None}])
    b.add("unsigned without a request id: white space around does not count", headers(None, STAMP), b"\n" + body + b"\n", auth=none, after=[digest], outcome="duplicate", classes=["replay"])
    b.add("unsigned without a request id: another body is another event", headers(None, STAMP), envelope(next(counter)), auth=none, after=[digest])
    b.add("unsigned: the timestamp header is no time of the event", headers(None, STAMP, next(counter)), envelope(next(counter), content={}), auth=none, want=[{"time": None, "timesource": "received"}])
    b.add("unsigned: a signature nobody asked for is not looked at", headers("AAAA", "soon", next(counter)), envelope(next(counter)), auth=none)


def unreadable(b, send, counter):
    good = envelope(450)
    for name, body in (("an empty body", b""), ("a list", b"[" + good + b"]"), ("a text", b'"x"'), ("cut in the middle", good[:-30]), ("bytes behind the value", good + b"."), ("two values", good + good),
                       ("a form", b"service=channels&event=sms.inbound"), ("a name twice", good.replace(b'"service"', b'"service":"numbers","service"')),
                       ("a name twice at depth", good.replace(b'"text"', b'"text":"x","text"')), ("a depth of 65", envelope(450, deep="@").replace(b'"@"', cases.nested(63)))):
        send("quarantine: " + name, body, outcome="quarantined", want=[])
    b.add("malformed reject: cut in the middle is 400", sign(good[:-30]), good[:-30], now=NOW, source={"malformed": "reject"}, status=400, made_with=MADE)
    send("malformed reject: a good event is accepted", envelope(next(counter)), source={"malformed": "reject"})


def refused(b, counter):
    body = b'{"service":"channels","event":"sms.inbound","payload":{"id":"460","text":"morgen"}}'
    good = value(body)
    url = cases.BASE + cases.PATH

    def no(name, signature, stamp=STAMP, extra=(), content=body, made_with=MADE, **more):
        b.add("refused: " + name, headers(signature, stamp, 460) + list(extra), content, now=NOW, status=401, made_with=made_with, **more)

    def over(message, secret=SECRET):
        return b64(mac(secret, message).digest())

    sha = hashlib.sha256(body)
    no("no signature", None, made_with="no signature")
    no("an empty signature", "", made_with="no signature")
    no("no timestamp", good, None)
    no("an empty timestamp", value(body, ""), "")
    no("neither header", None, None, made_with="no signature")
    no("another secret", value(body, secret="another-signing-key-1"))
    no("signed with the empty key", value(body, secret=""))
    no("the key base64-decoded", value(body, secret=base64.b64decode(SECRET)))
    no("the digest in hex", over(("%s\n%s\n%s" % (STAMP, url, sha.hexdigest())).encode()))
    no("the digest in base64", over(("%s\n%s\n%s" % (STAMP, url, b64(sha.digest()))).encode()))
    no("the body itself instead of its digest", over(("%s\n%s\n" % (STAMP, url)).encode() + body))
    no("no line breaks between the parts", over((STAMP + url).encode() + sha.digest()))
    no("a line break at the end of the message", over(("%s\n%s\n" % (STAMP, url)).encode() + sha.digest() + b"\n"))
    no("URL first", over(("%s\n%s\n" % (url, STAMP)).encode() + sha.digest()))
    no("the classic product's message, query in place of the URL", over(("%s\n\n" % STAMP).encode() + sha.digest()))
    no("SHA-512", b64(mac(SECRET, ("%s\n%s\n" % (STAMP, url)).encode() + sha.digest(), "sha512").digest()))
    for name, other in (("http instead of https", "http://hooks.example.com/hooks/test"), ("another host", "https://hooks.example.net/hooks/test"), ("the host in capitals", "https://HOOKS.example.com/hooks/test"),
                        ("the port written out", "https://hooks.example.com:443/hooks/test"), ("the path alone", "/hooks/test"), ("a trailing slash", url + "/"), ("a query that was not sent", url + "?a=1"), ("no path", cases.BASE)):
        no("signed for " + name, value(body, url=other))
    for name, sent, signed in (("left out of the signature", "?a=1&b=2", ""), ("in another order", "?a=1&b=2", "?b=2&a=1"), ("decoded before signing", "?q=a%20b", "?q=a b"), ("with other escapes", "?q=%2f", "?q=%2F")):
        no("the query " + name, value(body, url=url + signed), path=cases.PATH + sent)
    spoof = "https://evil.example.com/hooks/test"
    no("signed for the host that X-Forwarded-Host names", value(body, url=spoof), extra=[("X-Forwarded-Host", "evil.example.com"), ("X-Forwarded-Proto", "https")])
    no("one byte of the body changed", good, content=body.replace(b"morgen", b"Morgen"))
    no("a line break added to the body", good, content=body + b"\n")
    no("the timestamp changed", good, "1717245001")
    no("the timestamp written another way", good, "01717245000")
    for name, stamp in (("in milliseconds", "1717245000000"), ("with a plus", "+1717245000"), ("negative", "-1717245000"), ("with decimals", "1717245000.0"), ("with an exponent", "1717245e3"), ("in hex", "0x665b1508"),
                        ("as RFC 3339", "2024-06-01T12:30:00Z"), ("with a space inside", "1717 245000"), ("beyond 64 bits", "17172450000000000000000"), ("zero", "0"), ("a word", "now"), ("two in one header", STAMP + "," + STAMP)):
        no("timestamp " + name + ", signed as sent", value(body, stamp), stamp)
    no("two timestamps, the first valid", good, extra=[("messagebird-request-timestamp", "1717245001")])
    no("two equal timestamps", good, extra=[("messagebird-request-timestamp", STAMP)])
    no("two signatures, the first valid", good, extra=[("messagebird-signature", over(b"x"))])
    no("two equal signatures", good, extra=[("messagebird-signature", good)])
    no("two signatures in one header", good + "," + good)
    no("hex", mac(SECRET, ("%s\n%s\n" % (STAMP, url)).encode() + sha.digest()).hexdigest())
    no("no padding", good.rstrip("="))
    tricky = next(c for c in (envelope(461 + i) for i in range(200)) if "+" in value(c) and "/" in value(c))
    no("the URL alphabet", value(tricky).replace("+", "-").replace("/", "_"), content=tricky)
    no("bits set behind the end", good[:-2] + chr(ord(good[-2]) + 1) + "=")
    no("a prefix", "sha256=" + good)
    no("a version in front", "v1," + good)
    no("cut", good[:-8])
    standard = b64(mac(SECRET, b"msg_1." + STAMP.encode() + b"." + body).digest())
    b.add("refused: the new platform's Standard Webhooks headers", [("Content-Type", "application/json"), ("webhook-id", "msg_1"), ("webhook-timestamp", STAMP), ("webhook-signature", "v1," + standard)],
          body, now=NOW, status=401, made_with=MADE)
    no("unsigned and unreadable", None, content=b"not JSON", made_with="no signature")
    no("a line break behind the signature", good + "\r\n", wire=False, note="cannot travel in HTTP; for direct tests of the verifier")
    no("a line break behind the timestamp", value(body, STAMP + "\n"), STAMP + "\n", wire=False, note="cannot travel in HTTP; for direct tests of the verifier")
    no("digits that are not ASCII", value(body, "１７１７２４５０００"), "１７１７２４５０００", wire=False, note="for direct tests of the verifier")


def configuration(b):
    auth = lambda *secrets: [{"scheme": "bird-signature", "secrets": list(secrets)}]
    refused = " is refused when the configuration is loaded"
    b.check("an empty secret" + refused, 1, auth(""))
    b.check("a secret of 15 bytes" + refused, 1, auth("fifteen-bytes-x"))
    b.check("a secret of 16 bytes is enough", 0, auth("sixteen-bytes-xy"))
    b.check("no secret at all" + refused, 1, auth())
    b.check("a dedupe window of 24 h" + refused, 1, AUTH, {"dedupe": {"window": "24h", "by": "event"}})
    b.check("a dedupe window one second under 24 h 5 min" + refused, 1, AUTH, {"dedupe": {"window": "24h4m59s", "by": "event"}})
    b.check("a dedupe window of 24 h 5 min is enough", 0, AUTH, {"dedupe": {"window": "24h5m", "by": "event"}})
