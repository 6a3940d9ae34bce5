"""Zoho SalesIQ's cases."""

import hashlib

from . import cases, signing, taxonomy
from .signing import b64, compact, mac

KEYS = {name: signing.Key(name) for name in ("siq-a", "siq-b", "siq-foreign")}
WEAK = signing.Key("siq-small")
A, B, FOREIGN = KEYS["siq-a"], KEYS["siq-b"], KEYS["siq-foreign"]
AUTH = [{"scheme": "siq-signature", "keys": [b64(A.spki)]}]
MADE = "Python, verified by openssl dgst"
ORG, APP = "60021887431", 52100000000073
VISITOR = {"email_id": "noa@example.net", "phone": "972500000001", "name": "Noa", "type": "contact", "id": "52100000000981"}
OWNER = {"id": "52100000000012", "name": "Ira", "email_id": "ira@example.net"}
CHAT = {"id": "52100000004410", "visitor_conversation_id": "c7e1", "reference_id": "88", "opened_time": "1717000000000", "app_id": "52100000000073",
        "owner": OWNER, "visitor": VISITOR, "question": "Hi", "status": "Live", "chat_status": {"status_code": ["1,2"], "state": ["1,2,3,4"], "label": "Live"}}
REPLY = {"id": "52100000004410", "message": {"sender": {"name": "Ira", "id": "52100000000012"}, "msgid": "1717000100200", "text": "One moment"}, "version": 1}
SMALL = {"id": "52100000004410", "message": {"msgid": "1717000100200", "text": "One moment"}}
DEPARTMENT = {"is_enabled": "true", "is_system_generated": "false", "operators": ["52100000000012"], "name": "Returns", "id": "52100000005011"}
OPERATOR = {"email_id": "ira@example.net", "access_levels": ["chat", "tracking"], "role": "Administrator", "chat_enabled": True, "confirmed": False,
            "id": "52100000000012", "departments": ["52100000005011"], "maximum_concurrent_chat": "none", "status": "Available"}
ENTITIES = {
    "conversation": {"id": CHAT["id"], "owner": OWNER, "status": "Live"}, "conversation.created": CHAT, "conversation.completed": {**CHAT, "end_time": "1717000900000"},
    "conversation.operator.replied": REPLY,
    "conversation.visitor.replied": {**REPLY, "message": {"sender": {"name": "Noa", "id": "$52100000000981"}, "msgid": "1717000100300", "text": "Danke schön"}},
    "conversation.rated": {"rating": 4, "feedback": "quick", "owner": OWNER, "visitor": VISITOR},
    "conversation.message.edited": {"id": CHAT["id"], "message": {"msgid": "1717000100200", "text": "One moment, please"}},
    "conversation.message.deleted": {"id": CHAT["id"], "message": {"msgid": "1717000100200"}},
    "visitor": {"id": "52100000000981", "type": "lead ", "first_name": "Noa", "lead": {"id": "52100000000982"}, "modifier": {"type": "operator", "id": "52100000000012"}},
    "contact": {"id": "52100000000981", "tags": [{"id": "9", "name": "vip"}]}, "lead": {"id": "52100000000982", "tags": []},
    "department": DEPARTMENT, "operator": OPERATOR, "brands": {"id": "52100000000073", "name": "Shop"}, "tag": {"id": "52100000000009", "name": "vip"},
}


def entity(kind):
    if kind.endswith(".deleted") and kind.split(".")[0] in ("department", "operator", "tag"):
        return ...
    return ENTITIES[kind] if kind in ENTITIES else ENTITIES[kind.split(".")[0]]


def envelope(n, kind="conversation.operator.replied", content=SMALL, **more):
    """A data event carries app_id, an administration event does not."""
    module = kind.split(".")[0]
    found = {"entity_type": module, "org_id": ORG, "event": kind, "entity_id": "521%011d" % (4000 + n), "attempt": 1, "version": "1",
             "app_id": APP if module in ("conversation", "visitor", "contact", "lead") else ..., "entity": content, "event_time": str(1717000200000 + n)}
    found.update(more)
    return compact({k: v for k, v in found.items() if v is not ...}).encode()


def sign(body, key=A):
    return [("Content-Type", "application/json"), ("x-siqsignature", b64(key.pkcs1(body)))]


def book():
    b = cases.Book("salesiq", AUTH, {A.spki_pem: A, b64(A.spki): A})
    for n, kind in enumerate(taxonomy.rows("salesiq")):
        body = envelope(n, kind, entity(kind))
        b.add(kind, sign(body), body, want=[{"type": "salesiq." + kind, "subject": "521%011d" % (4000 + n), "tenant": ORG, "nativeid": None}], made_with=MADE)
    counter = iter(range(500, 900))

    def send(name, body, **more):
        b.add(name, sign(body), body, made_with=MADE, **more)

    attempts(b, send)

    def plain(name, body, **more):
        """How a body is read does not depend on its signature, and an unsigned case is a third of the size."""
        b.add(name, [("Content-Type", "application/json")], body, auth=[{"scheme": "none"}], **more)

    envelopes(b, plain, counter)
    unreadable(b, send, plain, counter)
    refused(b)
    key_forms(b, counter)
    cases.edge(b, lambda body, path=None: sign(body), envelope(498), made_with=MADE)
    configuration(b)
    return b.cases


def attempts(b, send):
    """The classes of what comes again, by the number in the body."""
    chain = []

    def turn(name, n, attempt, classes=None, source=None, **more):
        send(name, envelope(n, attempt=attempt), after=list(chain) or None, source=source,
             outcome="duplicate" if classes else "accepted", classes=classes, **more)
        chain.append(name)

    turn("attempts in order: 1", 300, 1, want=[{"attempt": 1}])
    turn("attempts in order: 2 is a retry", 300, 2, ["retry"])
    turn("attempts in order: 3 is a retry", 300, 3, ["retry"])
    turn("attempts in order: 4 is a retry", 300, 4, ["retry"])
    turn("attempts in order: 2 again is a replay", 300, 2, ["replay"])
    turn("attempts in order: 1 again is a replay", 300, 1, ["replay"])
    chain.clear()
    turn("attempt 2 arrives first and is recovered", 301, 2, want=[{"attempt": 2}])
    turn("attempt 4 after it is a retry", 301, "4", ["retry"])
    turn("attempt 3 between the two is late", 301, 3, ["late"])
    turn("attempt 1 after them is late", 301, 1, ["late"])
    turn("attempt 3 again is a replay, late as it was", 301, 3, ["replay"])
    chain.clear()
    turn("attempt as text", 302, "7", want=[{"attempt": 7}])
    turn("attempt 10 is above 7, as numbers go", 302, 10, ["retry"])
    chain.clear()
    turn("no attempt is attempt 1", 303, ..., want=[{"attempt": 1}])
    turn("attempt 1 after none is a replay", 303, 1, ["replay"])
    turn("attempt null is attempt 1", 303, None, ["replay"])
    turn("attempt that is no number is attempt 1", 303, "second", ["replay"])
    chain.clear()
    by_attempt = {"dedupe": {"by": "attempt"}}
    turn("dedupe by attempt: 1", 304, 1, source=by_attempt)
    turn("dedupe by attempt: 2 is an event of its own", 304, 2, source=by_attempt, want=[{"attempt": 2}])
    turn("dedupe by attempt: 2 again is a duplicate", 304, 2, ["replay"], source=by_attempt)
    turn("dedupe by attempt: 1 again is a duplicate", 304, "1", ["replay"], source=by_attempt)
    turn("dedupe by attempt: 4 before 3", 304, 4, source=by_attempt)
    turn("dedupe by attempt: 3 after 4", 304, 3, source=by_attempt)


def envelopes(b, send, counter):
    new = lambda **more: envelope(next(counter), **more)
    base = dict(entity_id="52100000007000", event_time="1717000900000")
    send("an event to be compared", envelope(0, **base))
    after = ["an event to be compared"]
    numbers = dict(entity_id=52100000007000, event_time=1717000900000, org_id=60021887431, app_id=str(APP))
    send("numbers for texts and a text for a number: the same event", envelope(0, **numbers), after=after, outcome="duplicate", classes=["replay"])
    message = lambda **m: {**SMALL, "message": {**SMALL["message"], **m}}
    send("msgid as a number: the same event", envelope(0, content=message(msgid=1717000100200), **base), after=after, outcome="duplicate", classes=["replay"])
    send("another text under the same msgid: the same event", envelope(0, content=message(text="x"), **base), after=after, outcome="duplicate", classes=["replay"])
    send("version as a number, spaces between tokens: the same event", envelope(0, version=1, **base).replace(b",", b", "), after=after, outcome="duplicate", classes=["replay"])
    for name, more in (("msgid", {"content": message(msgid="1717000100201")}), ("event_time", {"event_time": "1717000900001"}), ("entity_id", {"entity_id": "52100000007001"}),
                       ("app_id", {"app_id": APP + 1}), ("org_id", {"org_id": "60021887432"}), ("event", {"kind": "conversation.visitor.replied"}),
                       ("webhook.id", {"webhook": {"id": "52100000120011"}})):
        send("another " + name + " is another event", envelope(0, **{**base, **more}), after=after)
    send("an empty webhook.id is none", envelope(0, webhook={"id": ""}, **base), after=after, outcome="duplicate", classes=["replay"])
    send("webhook.id as a number", envelope(0, webhook={"id": 52100000120011}, **base), after=["another webhook.id is another event"], outcome="duplicate", classes=["replay"])
    send("app_id above 2^53 keeps its digits", new(app_id=9007199254740993))
    send("event_time as a number", new(event_time=1717000901234), want=[{"time": "2024-05-29T16:41:41.234Z", "timesource": "event"}])
    for name, when in (("no digits", "yesterday"), ("in seconds", "1717000901"), ("beyond 9999", "253402300800000"), ("negative", "-1717000901234"), ("before 2000", 946684799999)):
        send("event_time " + name + " stays in the identity, the time is that of receipt", new(event_time=when), want=[{"time": None, "timesource": "received"}])
    for name in ("event_time", "entity_id"):
        for what, value in (("missing", ...), ("null", None), ("empty", "")):
            send(name + " " + what + ": digest", new(**{name: value}), want=[{"subject": CHAT["id"]} if name == "entity_id" else {"time": None}])
    send("no entity_id and no entity.id: no subject", new(entity_id=..., content={"rating": 5}), want=[{"subject": None}])
    send("an event without a name and without ids", compact({"org_id": ORG, "attempt": 1, "version": "1"}).encode(),
         want=[{"type": "salesiq.unknown", "entitytype": "unknown", "action": "unknown", "subject": None, "tenant": ORG}])
    send("{} is no probe here", b"{}", want=[{"type": "salesiq.unknown"}])
    b.add("{} unsigned is refused", [("Content-Type", "application/json")], b"{}", status=401)
    send("no org_id: no tenant", new(org_id=...), want=[{"tenant": None}])
    send("an unknown event in mixed case", new(kind="Conversation.Note.Pinned"), want=[{"type": "salesiq.conversation.note.pinned", "entitytype": "conversation", "action": "pinned"}])
    send("an unknown event of one segment", new(kind="ping"), want=[{"type": "salesiq.ping", "entitytype": "ping", "action": "ping"}])
    send("names are exact: Event, EVENT and Entity_Id are other members", new(Event="x", EVENT="y", Entity_Id="z"), want=[{"type": "salesiq.conversation.operator.replied"}])
    send("a bot's reply without msgid and text", new(content={"message": {"sender": {"id": "1", "name": "bot"}, "meta": {}, "list": []}}))
    send("an entity that is a text", new(content="gone"), want=[{"type": "salesiq.conversation.operator.replied"}])
    send("UTF-8, escapes and doubles keep their bytes", new(content=message(text="¿Qué tal? 🙂")).replace(b'"version":"1"', b'"version":1.0,"x":"\\u00e9\\/"'))
    send("white space around the event is not part of it", b"\n " + new() + b"\r\n")
    raw = envelope(0, entity_id="52100000007100", content=message(msgid="m-id"))
    send("a byte that is no UTF-8 in msgid: digest", raw.replace(b"m-id", b"m\xffid"))
    send("another such byte is another event", raw.replace(b"m-id", b"m\xfeid"), after=["a byte that is no UTF-8 in msgid: digest"])
    send("a byte that is no UTF-8 in a text", raw.replace(b"One moment", b"One\xffmoment"))
    send("a lone surrogate in msgid: digest", raw.replace(b"m-id", b"m\\udc00id"))
    send("control characters in entity_id stay out of the attributes", new(entity_id="52\t1\r\n0"), want=[{"subject": "52\ufffd1\ufffd\ufffd0"}])
    send("a depth of 64 is read", new(content={"x": "@"}).replace(b'"@"', cases.nested(62)))
    for name, kind in (("charset", "application/json;charset=UTF-8"), ("text/plain", "text/plain"), ("a form", "application/x-www-form-urlencoded")):
        body = new()
        b.add("the Content-Type decides nothing: " + name, [("Content-Type", kind)] + sign(body)[1:], body, made_with=MADE)
    body = new()
    b.add("the header name in capitals", [("X-SIQSIGNATURE", sign(body)[1][1])], body, made_with=MADE)
    body = new()
    b.add("Content-Encoding identity is none", sign(body) + [("Content-Encoding", "identity")], body, made_with=MADE)
    body = new()
    b.add("an X-Zoho-Signature beside the signature is not looked at", sign(body) + [("X-Zoho-Signature", "0000")], body, made_with=MADE)
    body = new()
    b.add("not secured: scheme none", [("Content-Type", "application/json")], body, auth=[{"scheme": "none"}])


def unreadable(b, send, plain, counter):
    good = envelope(450)
    for name, body in (("an empty body", b""), ("a list", b"[" + good + b"]"), ("a text", b'"x"'), ("cut in the middle", good[:-30]), ("bytes behind the value", good + b"}"),
                       ("two values", good + good), ("a form", b"event=conversation.created&entity_id=1"), ("XML", b"<event/>"),
                       ("a name twice", good[:-1] + b',"attempt":2}'), ("a name twice at depth", good.replace(b'"text":', b'"msgid":"2","text":')),
                       ("a depth of 65", envelope(450, content={"x": "@"}).replace(b'"@"', cases.nested(63)))):
        plain("quarantine: " + name, body, outcome="quarantined", want=[])
    reject = {"malformed": "reject"}
    b.add("malformed reject: cut in the middle is 400", sign(good[:-30]), good[:-30], source=reject, status=400, made_with=MADE)
    send("quarantine: signed and cut in the middle", good[:-30], outcome="quarantined", want=[])
    send("malformed reject: a good event is accepted", envelope(next(counter)), source=reject)


def refused(b):
    body = envelope(460)
    good = b64(A.pkcs1(body))

    def no(name, *values, header="x-siqsignature", made_with=MADE, content=body, **more):
        b.add("refused: " + name, [("Content-Type", "application/json")] + [(header, v) for v in values], content, status=401, made_with=made_with, **more)

    no("no header", made_with="no signature")
    no("an empty header", "", made_with="no signature")
    no("signed by a key that is not configured", b64(FOREIGN.pkcs1(body)))
    no("one byte of the body changed", good, content=body.replace(b"moment", b"Moment"))
    no("attempt 2 under the signature of attempt 1", good, content=body.replace(b'"attempt":1', b'"attempt":2'))
    no("the body written again with spaces", good, content=body.replace(b",", b", "))
    no("a line break added to the body", good, content=body + b"\n")
    no("SHA-1 instead of SHA-256", b64(A.pkcs1(body, "sha1")))
    no("SHA-512 instead of SHA-256", b64(A.pkcs1(body, "sha512")))
    no("RSASSA-PSS instead of PKCS1 v1.5", b64(A.pss(body)), made_with="RSASSA-PSS in Python, verified by openssl dgst")
    bare = hashlib.sha256(body).digest()
    no("the digest padded without its DigestInfo", b64(A.raw(b"\0\1" + b"\xff" * 221 + b"\0" + bare)), made_with="RSA in Python")
    info = bytes.fromhex(signing.DIGEST_INFO["sha256"]) + bare
    no("padding of the wrong length with bytes behind it", b64(A.raw(b"\0\1" + b"\xff" * 8 + b"\0" + info + b"\0" * (256 - len(info) - 11))), made_with="RSA in Python")
    no("the signature of an empty body", b64(A.pkcs1(b"")))
    no("the signature of the entity alone", b64(A.pkcs1(compact(SMALL).encode())))
    no("an HMAC with the public key as secret", b64(mac(A.spki_pem, body).digest()), made_with="Python hmac")
    no("an HMAC in X-Zoho-Signature", mac("shared", body).hexdigest(), header="X-Zoho-Signature", made_with="Python hmac")
    no("another header name", good, header="x-siq-signature")
    no("hex", A.pkcs1(body).hex())
    no("base64 of base64", b64(good.encode()))
    no("no padding", good.rstrip("="))
    no("one of two padding characters", good[:-1])
    no("the URL alphabet", good.replace("+", "-").replace("/", "_"))
    no("bits set behind the end", good[:-3] + chr(ord(good[-3]) + 1) + "==")
    no("a prefix", "sha256=" + good)
    no("a space inside", good[:100] + " " + good[100:])
    no("255 bytes", b64(A.pkcs1(body)[:-1]))
    no("257 bytes, a zero in front", b64(b"\0" + A.pkcs1(body)))
    no("all zero", b64(b"\0" * 256), made_with="no signature")
    no("two headers, the first valid", good, b64(FOREIGN.pkcs1(body)))
    no("two headers, the second valid", b64(FOREIGN.pkcs1(body)), good)
    no("two values in one header", good + "," + good)
    no("unsigned and unreadable", made_with="no signature", content=b"not JSON")
    no("a line break inside", good[:76] + "\r\n" + good[76:], wire=False, note="cannot travel in HTTP; for direct tests of the verifier")
    no("a line break behind", good + "\r\n", wire=False, note="cannot travel in HTTP; for direct tests of the verifier")
    assert good[-3] in "AQgw" and "+" in good and "/" in good


def key_forms(b, counter):
    lines = b64(A.spki)
    broken = "\n".join(lines[i:i + 64] for i in range(0, len(lines), 64))
    escaped = A.spki_pem.replace("\n", "\\n")
    forms = (("PEM PUBLIC KEY", A.spki_pem), ("PEM RSA PUBLIC KEY", A.pkcs1_pem), ("PEM with \\n written out", escaped), ("PEM RSA PUBLIC KEY with \\n written out", A.pkcs1_pem.replace("\n", "\\n")),
             ("PEM without a line break at its end", A.spki_pem.strip()), ("base64 in one line", lines), ("base64 with line breaks", broken))
    for name, text in forms:
        body = envelope(next(counter))
        b.keys[text] = A
        b.add("key given as " + name, sign(body), body, auth=[{"scheme": "siq-signature", "keys": [text]}], made_with=MADE)
        b.check("key given as " + name + " passes the check", 0, [{"scheme": "siq-signature", "keys": [text]}])
    b.keys[B.spki_pem] = B
    two = [{"scheme": "siq-signature", "keys": [A.spki_pem, B.spki_pem]}]
    for place, key in (("oldest", A), ("newest", B)):
        body = envelope(next(counter))
        b.add("rotation: the " + place + " of two keys", sign(body, key), body, auth=two, made_with=MADE)
    body = envelope(next(counter))
    b.add("rotation: neither of two keys", sign(body, FOREIGN), body, auth=two, status=401, made_with=MADE)
    b.add("rotation: a key that was deleted", sign(body, A), body, auth=[{"scheme": "siq-signature", "keys": [B.spki_pem]}], status=401, made_with=MADE)


def configuration(b):
    def bad(name, text):
        b.check(name + " is refused when the configuration is loaded", 1, [{"scheme": "siq-signature", "keys": [text]}])
    ec = signing.openssl("pkey", "-in", signing.path("jwt-ec"), "-pubout").decode()
    with open(signing.path("certificate")) as f:
        certificate = f.read()
    bad("a key of 1024 bit", WEAK.spki_pem)
    bad("an EC key", ec)
    bad("a certificate instead of a key", certificate)
    bad("the placeholder of the page", "45678998765")
    bad("an empty key", "")
    bad("a key cut in the middle", b64(A.spki)[:200])
    bad("a PEM of another kind", "-----BEGIN SOMETHING-----\nAAAA\n-----END SOMETHING-----\n")
    b.check("no key at all is refused when the configuration is loaded", 1, [{"scheme": "siq-signature", "keys": []}])
    b.check("a good key beside a bad one is refused when the configuration is loaded", 1, [{"scheme": "siq-signature", "keys": [A.spki_pem, WEAK.spki_pem]}])
    b.check("a window of 61 days for retries by hand", 0, AUTH, {"dedupe": {"window": "1464h", "by": "event"}})
