"""Sprinklr's cases."""

import hashlib

from . import cases, taxonomy, tokens
from .signing import b64, compact, mac

SECRET = "retail-psk-2f6b90de41"
AUTH = [{"scheme": "hub-signature", "secrets": [SECRET]}]
SUBSCRIPTION = "65f1c0a2be9d4e0017aa31c4"
MADE = "Python hmac"
PROFILE = {"id": "65f1aa10be9d4e0017aa0c01", "contact": {"fullName": "Alex Sample"}, "profileWorkflowProperties": {"tags": []}, "createdTime": 1715000000000}
MESSAGE = {"sourceType": "ACCOUNT", "sourceId": 2100044, "content": {"text": "Is the blue one in stock?"}, "channelType": "INSTAGRAM",
           "messageId": "ACCOUNT_2100044_1715001111222_INSTAGRAM_24_7", "postId": 700000001, "brandPost": False, "insights": {"POST_LIKES_COUNT": 3.0}}
CASE = {"id": "65f1bb20be9d4e0017aa1d02", "caseNumber": 5530218, "subject": "Invoice 2024-118", "version": 2, "status": "Open", "priority": "High",
        "workflow": {"customProperties": {"region": ["EMEA"]}, "queues": []}, "sentiment": 0}
SMALL = {"id": "65f1bb20be9d4e0017aa1d02", "subject": "Invoice", "no": 5530218, "version": 2, "queues": []}
DRAFT = {"id": 10400250017, "accountIds": [2100044], "version": 1, "content": {"text": "Spring sale"}, "status": "DRAFT"}
TASK = {"id": "65f1cc30be9d4e0017aa2e03", "taskType": "Review Task", "taskStatus": "AVAILABLE", "customProperties": {}, "queueDetails": []}
COMMENT = {"id": "65f1dd40be9d4e0017aa3f04", "text": "please call back", "commentingUser": -100, "entityType": "MESSAGE", "entityId": "5"}
SEEN = {"senderId": "WA_491700000001", "receiverId": "WA_491700000002", "timestamp": 1715001230000, "messageId": "wamid.HBgNsample"}
PAYLOADS = {
    "case": CASE, "message": MESSAGE, "workflow": MESSAGE, "profile": PROFILE, "draft": DRAFT, "task": TASK, "comment": COMMENT,
    "message.association.change": {"uCase": CASE, "associatedMessageIds": [MESSAGE["messageId"]]},
    "message.deleted": {"universalMessageId": "TWITTER_8_44", "snType": "TWITTER", "msgType": 8, "snMsgId": "44", "sourceId": 431177},
    "message.engagement.updated": {"channelMessageId": "17951234567890123", "likes": 12, "shares": 1},
    "message.publish.failed": {"postId": 3388957001, "error": "token expired"},
    "message.sent.for.approval": {"id": 10400250018, "status": "PENDING_APPROVAL", "previewImageUrl": "https://cdn.example.com/p.png"},
    "message.read": SEEN, "message.delivered": SEEN,
    "post.trend.metrics.change": {"id": "65f1ee50be9d4e0017aa4005", "postId": 700000001, "date": 1715001200000, "measurements": {"REACH": 20.0}},
    "profile.deleted": "65f1aa10be9d4e0017aa0c02",
    "profiles.merged": {"retainedProfileId": "65f1aa10be9d4e0017aa0c01", "deletedProfileIds": ["65f1aa10be9d4e0017aa0c09"]},
    "audience.activity.created": {"id": "aud-118", "activity": "OPEN"},
    "draft.scheduled": {"draftId": 10400250017, "postIds": [700000002]},
    "campaign": {"id": "4711_318", "name": "Spring", "status": "ACTIVE"}, "campaign.deleted": "4711_318",
    "asset": {"id": "65f1ff60be9d4e0017aa5106", "assetType": "PHOTO", "name": "banner.png"}, "task.delete": "65f1cc30be9d4e0017aa2e04",
    "user": {"id": "1500042", "userName": "agent.one@example.com", "active": True, "groups": []}, "user.deleted": "1500043",
    "thread.control.updated": {"entityType": "CASE", "entityId": "65f1bb20be9d4e0017aa1d02", "previousParticipant": "Bot", "controllingParticipant": "Sprinklr"},
    "recommendation.created": {"title": "Escalate", "recipientType": "CASE", "recipientId": "5530218", "payload": {"type": "ESCALATED_ALERT", "tags": []}},
    "account": {"id": 2100044, "accountType": "INSTAGRAM", "createdTime": "2024-05-06 06:39:04"},
    "business.hours.created": {"id": "bh-7", "name": "Weekdays"}, "business.holidays.list.created": {"id": "hl-3", "name": "2024"},
    "business.hours.updated": {"oldBusinessHours": {"id": "bh-6"}, "newBusinessHours": {"id": "bh-7"}},
    "business.holidays.list.updated": {"oldBusinessHolidayList": {"id": "hl-2"}, "newBusinessHolidayList": {"id": "hl-3"}},
    "survey.response.created": {"surveyId": "sv-1", "responseId": "rsp-1042", "responseStatus": "COMPLETE", "questionResponses": {"q1": 5}},
    "voice.call.quality.event": {"conversationId": "cv-9", "callId": "call-77", "direction": "INBOUND", "metrics": {"mos": 4.145, "jitter": 2.0}},
}


def payload(kind):
    return PAYLOADS[kind] if kind in PAYLOADS else PAYLOADS[kind.split(".")[0]]


def envelope(n, kind="case.update", content=SMALL, when=1715001234567, **more):
    found = {"id": "6640%020x" % n, "type": kind, "payload": content, "eventTime": when, "subscriptionDetails": {"subscriptionId": SUBSCRIPTION}}
    found.update(more)
    return compact({k: v for k, v in found.items() if v is not ...}).encode()


def sign(body, secret=SECRET):
    return [("Content-Type", "application/json"), ("X-Hub-Signature", "sha256=" + mac(secret, body).hexdigest())]


def book():
    b = cases.Book("sprinklr", AUTH)
    for n, kind in enumerate(taxonomy.rows("sprinklr")):
        body = envelope(n, kind, payload(kind), 1715001234567 + 1000 * n)
        b.add(kind, sign(body), body, want=[{"type": "sprinklr." + kind, "nativeid": "6640%020x" % n}], made_with=MADE)
    counter = iter(range(500, 900))

    def send(name, body, **more):
        b.add(name, sign(body), body, made_with=MADE, **more)

    envelopes(b, send, counter)
    unreadable(b, send, counter)
    refused(b, counter)
    other_schemes(b, counter)
    cases.edge(b, lambda body, path=None: sign(body), envelope(498), made_with=MADE)
    body = b"{}"
    b.add("the two bytes {} by PUT are no probe: 405", sign(body), body, status=405, method="PUT", made_with=MADE)
    b.add("the two bytes {} on an unknown path: 404", sign(body), body, status=404, path="/hooks/unknown", made_with=MADE)
    configuration(b)
    return b.cases


def envelopes(b, send, counter):
    new = lambda **more: envelope(next(counter), **more)
    first = envelope(400, "comment.created", COMMENT)
    send("comment.created, to be compared", first)
    send("its retry, byte for byte", first, after=["comment.created, to be compared"], outcome="duplicate", classes=["replay"])
    send("comment.updated under the same id is another event", envelope(400, "comment.updated", COMMENT), after=["comment.created, to be compared"])
    send("the same id under another subscription is another event",
         envelope(400, "comment.created", COMMENT, subscriptionDetails={"subscriptionId": "65f1c0a2be9d4e0017aa31c5"}), after=["comment.created, to be compared"])
    send("the same identity with other content is a duplicate", envelope(400, "comment.created", {**COMMENT, "text": "edited"}),
         after=["comment.created, to be compared"], outcome="duplicate", classes=["replay"])
    send("the same identity in another member order is a duplicate",
         compact({"subscriptionDetails": {"subscriptionId": SUBSCRIPTION}, "type": "comment.created", "id": "6640%020x" % 400}).encode(),
         after=["comment.created, to be compared"], outcome="duplicate", classes=["replay"])
    send("an id that is a number", new(id=9007199254740993), want=[{"nativeid": "9007199254740993"}])
    send("the same digits as text are the same id", envelope(0, id="9007199254740993"), after=["an id that is a number"], outcome="duplicate", classes=["replay"])
    send("a neighbour above 2^53 is another id", envelope(0, id=9007199254740992), after=["an id that is a number"])
    send("a number keeps its characters: 1.0 is not 1", new(id=1.0), want=[{"nativeid": "1.0"}])
    for name, more in (("id missing", {"id": ...}), ("id null", {"id": None}), ("id empty", {"id": ""}), ("id an object", {"id": {"a": 1}})):
        send(name + ": digest, no nativeid", new(**more), want=[{"nativeid": None, "tenant": SUBSCRIPTION}])
    for name, details in (("subscriptionId empty", {"subscriptionId": ""}), ("subscriptionId null", {"subscriptionId": None}), ("subscriptionDetails null", None),
                          ("subscriptionDetails a text", "65f1")):
        send(name + ": digest, no tenant", new(subscriptionDetails=details), want=[{"tenant": None}])
    body = compact({"eventTime": 1715001234567, "note": "neither type nor payload"}).encode()
    send("no type at all", body, want=[{"type": "sprinklr.unknown", "entitytype": "unknown", "action": "unknown", "subject": None}])
    send("the same bytes without identity are the same event", body, after=["no type at all"], outcome="duplicate", classes=["replay"])
    send("a line break behind the event is not part of it", body + b"\n", after=["no type at all"], outcome="duplicate")
    send("another member without identity is another event", compact({"eventTime": 1715001234567, "note": "other"}).encode(), after=["no type at all"])
    send("an unknown type with a text payload", new(kind="Mention.Spotted", content="mention-31"),
         want=[{"type": "sprinklr.mention.spotted", "entitytype": "mention", "action": "spotted", "subject": "mention-31"}])
    send("an unknown type with a number payload", new(kind="queue.drained", content=118), want=[{"subject": "118"}])
    send("an unknown type of one segment", new(kind="Heartbeat", content={"id": "hb"}), want=[{"type": "sprinklr.heartbeat", "entitytype": "heartbeat", "action": "heartbeat"}])
    send("an unknown type of four segments", new(kind="voice.call.agent.muted", content={"callId": "c"}), want=[{"entitytype": "voice", "action": "muted", "subject": None}])
    send("a known type without its id", new(content={"version": 3}), want=[{"subject": None, "entityid": None}])
    send("a known type without payload", new(content=...), want=[{"subject": None}])
    send("names are exact: payload.ID is not payload.id", new(content={"ID": "x"}), want=[{"subject": None}])
    send("names are exact: ID and Type beside id and type", new(ID="other", Type="case.delete"), want=[{"type": "sprinklr.case.update"}])
    send("profile.deleted with a number payload", new(kind="profile.deleted", content=40526000000002043), want=[{"subject": "40526000000002043"}])
    inner = envelope(next(counter), "case.delete", CASE)
    send("a data wrapper with white space: the bytes from { to }", b'{ "data" :\t' + inner[:-1] + b" }\r\n }", want=[{"type": "sprinklr.case.delete"}])
    send("a data wrapper with members beside it", b'{"source":"overview","data":' + envelope(next(counter)) + b"}", want=[{"type": "sprinklr.case.update"}])
    send("a data member beside a type is no wrapper", new(data={"type": "case.delete", "id": "1"}), want=[{"type": "sprinklr.case.update"}])
    send("white space around and inside the event", b"\r\n " + new()[:-1] + b" \t} \n")
    send("escapes, doubles and odd numbers keep their bytes",
         b'{"id":"esc\\u00e9\\/1","type":"case.update","payload":{"id":"\\u0041\\ud83d\\ude42","n":[161.0,1.0E-4,-0,1e400,0.10]},"eventTime":1715001300000,'
         b'"subscriptionDetails":{"subscriptionId":"65f1c0a2be9d4e0017aa31c4"}}', want=[{"nativeid": "esc\u00e9/1", "subject": "A\U0001f642"}])
    send("UTF-8 in every id", new(id="обращение-7", content={"id": "注文 42 🙂"}), want=[{"nativeid": "обращение-7", "subject": "注文 42 🙂"}])
    for name, when, time in (("as text", "1715001234567", "2024-05-06T13:13:54.567Z"), ("the first that counts", 946684800000, "2000-01-01T00:00:00.000Z"),
                             ("one millisecond before it", 946684799999, None), ("late in 9999", 253370764800123, "9999-01-01T00:00:00.123Z"),
                             ("the year 10000", 253402300800000, None), ("in seconds", 1715001234, None), ("negative", -1715001234567, None), ("zero", 0, None),
                             ("null", None, None), ("missing", ..., None), ("empty", "", None), ("no digits", "yesterday", None), ("beyond 64 bits", 17150012345670000000000, None)):
        send("eventTime " + name, new(when=when), want=[{"time": time, "timesource": "event" if time else "received"}])
    raw = new(id="odd-byte")
    send("a byte that is no UTF-8 in a text that is no id", raw.replace(b"Invoice", b"Invo\xffice"), want=[{"nativeid": "odd-byte"}])
    send("a byte that is no UTF-8 in the id: digest", raw.replace(b"odd-byte", b"odd\xffbyte"), want=[{"nativeid": "odd\ufffdbyte"}])
    send("another such byte is another event", raw.replace(b"odd-byte", b"odd\xfebyte"), after=["a byte that is no UTF-8 in the id: digest"], want=[{"nativeid": "odd\ufffdbyte"}])
    send("a lone surrogate in the id: digest", raw.replace(b"odd-byte", b"odd\\ud800byte"), want=[{"nativeid": "odd\ufffdbyte"}])
    send("another lone surrogate is another event", raw.replace(b"odd-byte", b"odd\\ud801byte"), after=["a lone surrogate in the id: digest"])
    send("control characters in an id stay out of the attributes", new(id="a\r\nNats-Msg-Id: x", content={"id": "p\x00q"}),
         want=[{"nativeid": "a\ufffd\ufffdNats-Msg-Id: x", "subject": "p\ufffdq"}])
    send("a depth of 64 is read", new(content={"id": "deep", "x": "@"}).replace(b'"@"', cases.nested(62)), want=[{"subject": "deep"}])
    attempt = {"dedupe": {"by": "attempt"}}
    body = new()
    send("dedupe by attempt: the id ends in -1", body, source=attempt)
    send("dedupe by attempt: the same again", body, source=attempt, after=["dedupe by attempt: the id ends in -1"], outcome="duplicate", classes=["replay"])
    body = new()
    b.add("a source with a path of its own", sign(body), body, source={"path": "/in/retail"}, path="/in/retail", made_with=MADE)
    b.add("a source with a path of its own is not at its name", sign(body), body, source={"path": "/in/retail"}, status=404, made_with=MADE)
    for name, kind in (("text/xml", "text/xml"), ("a form", "application/x-www-form-urlencoded"), ("no sense", "nonsense")):
        body = new()
        b.add("the Content-Type decides nothing: " + name, [("Content-Type", kind)] + sign(body)[1:], body, made_with=MADE)
    body = new()
    b.add("no Content-Type", sign(body)[1:], body, made_with=MADE)
    body = new()
    b.add("Content-Encoding identity is none", sign(body) + [("Content-Encoding", "identity")], body, made_with=MADE)
    body = new()
    b.add("a query changes nothing for a scheme that signs the body", sign(body), body, path=cases.PATH + "?a=1&b=%20", made_with=MADE)
    b.add("{} under a wrong signature is a probe", sign(b"x"), b"{}", outcome="probe", made_with=MADE)
    b.add("{} under any Content-Type is a probe", [("Content-Type", "text/plain")], b"{}", outcome="probe")
    for name, body in (("in front", b" {}"), ("behind", b"{}\n"), ("inside", b"{ }")):
        b.add("{} with white space " + name + " is no probe: refused unsigned", [("Content-Type", "application/json")], body, status=401)
        if name != "behind":  # the same event as with white space in front
            send("{} with white space " + name + ", signed, is an event without a name", body, want=[{"type": "sprinklr.unknown", "subject": None}])


def unreadable(b, send, counter):
    good = envelope(450)
    bodies = (("an empty body", b""), ("white space alone", b" \n"), ("a list", b"[" + good + b"]"), ("a text", b'"case.update"'), ("a number", b"42"), ("null", b"null"),
              ("cut in the middle", good[:-40]), ("the last brace missing", good[:-1]), ("bytes behind the value", good + b"x"), ("two values", good + b"\n" + good),
              ("a comma too many", good[:-1] + b",}"), ("single quotes", b"{'id':'1'}"), ("a comment", b"/* x */" + good), ("NaN", good.replace(b"5530218", b"NaN")),
              ("a number with a leading zero", good.replace(b"5530218", b"05530218")), ("a line break in a text", good.replace(b"Invoice", b"In\nvoice")),
              ("an unknown escape", good.replace(b"Invoice", b"\\xInvoice")), ("XML", b"<Event/>"), ("a name twice at depth", good.replace(b'"version":2', b'"version":2,"version":3')),
              ("a name twice in a list", good.replace(b'"queues":[]', b'"queues":[{"a":1,"a":1}]')), ("a name twice, once escaped", good.replace(b'"version":2', b'"version":2,"v\\u0065rsion":2')),
              ("a name twice in the wrapper", b'{"data":' + good + b',"data":' + good + b"}"), ("a depth of 65", envelope(450, content={"x": "@"}).replace(b'"@"', cases.nested(63))),
              ("a depth of 300", cases.nested(300)), ("a zero byte behind the value", good + b"\0"))
    for name, body in bodies:
        send("quarantine: " + name, body, outcome="quarantined", want=[])
    send("quarantine: the same again is no duplicate of an event", bodies[2][1], outcome="quarantined", after=["quarantine: a list"])
    reject = {"malformed": "reject"}
    b.add("malformed reject: not JSON is 400", sign(b"not JSON"), b"not JSON", source=reject, status=400, made_with=MADE)
    b.add("malformed reject: a name twice is 400", sign(bodies[20][1]), bodies[20][1], source=reject, status=400, made_with=MADE)
    b.add("malformed reject: unreadable and unsigned is 401", [], b"not JSON", source=reject, status=401)
    send("malformed reject: a good event is accepted", envelope(next(counter)), source=reject)
    send("malformed quarantine, written out", b"not JSON", source={"malformed": "quarantine"}, outcome="quarantined")


def refused(b, counter):
    body = b'{"id":"460","type":"case.update","payload":{"subject":"Invoice"}}'
    hexa = mac(SECRET, body).hexdigest()

    def no(name, *values, header="X-Hub-Signature", made_with=MADE, content=body, **more):
        b.add("refused: " + name, [("Content-Type", "application/json")] + [(header, v) for v in values], content, status=401, made_with=made_with, **more)

    no("no header", made_with="no signature")
    no("an empty header", "", made_with="no signature")
    no("the prefix alone", "sha256=", made_with="no signature")
    no("no prefix", hexa)
    no("the prefix in capitals", "SHA256=" + hexa)
    no("upper-case digits", "sha256=" + hexa.upper())
    no("one digit in upper case", "sha256=" + "".join(c.upper() if i == hexa.find(next(d for d in hexa if d.isalpha())) else c for i, c in enumerate(hexa)))
    no("base64 instead of hex", "sha256=" + b64(bytes.fromhex(hexa)))
    no("a space behind the prefix", "sha256= " + hexa)
    no("63 digits", "sha256=" + hexa[:63])
    no("65 digits", "sha256=" + hexa + "0")
    no("the first half", "sha256=" + hexa[:32])
    no("the digest twice", "sha256=" + hexa * 2)
    no("two values in one header", "sha256=" + hexa + ",sha256=" + hexa)
    no("two values in one header, parted by a comma and a space", "sha256=" + mac("x", body).hexdigest() + ", sha256=" + hexa)
    no("two headers, the first valid", "sha256=" + hexa, "sha256=" + "0" * 64)
    no("two headers, the second valid", "sha256=" + "0" * 64, "sha256=" + hexa)
    no("two headers, one of them empty", "sha256=" + hexa, "")
    no("sha512", "sha512=" + mac(SECRET, body, "sha512").hexdigest())
    no("sha1 digits under the sha256 prefix", "sha256=" + mac(SECRET, body, "sha1").hexdigest())
    no("a prefix that says sha1 over the right digest", "sha1=" + hexa)
    no("a plain SHA-256 without a key", "sha256=" + hashlib.sha256(body).hexdigest())
    no("key and body the wrong way round", "sha256=" + mac(body, SECRET.encode()).hexdigest())
    no("signed with the empty key", "sha256=" + mac("", body).hexdigest())
    no("another secret", "sha256=" + mac("retail-psk-0000000000", body).hexdigest())
    no("the secret with a line break", "sha256=" + mac(SECRET + "\n", body).hexdigest())
    no("a secret taken out of the rotation", "sha256=" + mac("retail-psk-retired-01", body).hexdigest())
    no("another header name", "sha256=" + hexa, header="X-Hub-Signature-256")
    no("one bit of the body changed", "sha256=" + hexa, content=body.replace(b"Invoice", b"invoice"))
    no("a line break added to the body", "sha256=" + hexa, content=body + b"\n")
    no("an empty body under the signature of another", "sha256=" + hexa, content=b"")
    no("the signature of the inner payload member", "sha256=" + mac(SECRET, compact(SMALL).encode()).hexdigest())
    wrapped = b'{"data":' + body + b"}"
    no("the signature of the event inside its wrapper", "sha256=" + hexa, content=wrapped)
    no("the signature of {} over another body", "sha256=" + mac(SECRET, b"{}").hexdigest())
    no("unsigned and unreadable", made_with="no signature", content=b"not JSON")
    no("a line break behind the digits", "sha256=" + hexa + "\n", wire=False, note="cannot travel in HTTP; for direct tests of the verifier")
    no("a line break inside the digits", "sha256=" + hexa[:32] + "\r\n " + hexa[32:], wire=False, note="cannot travel in HTTP; for direct tests of the verifier")
    two = [{"scheme": "hub-signature", "secrets": ["retail-psk-retired-01", SECRET, "retail-psk-next-0001"]}]
    for place, secret in (("first", "retail-psk-retired-01"), ("second", SECRET), ("third", "retail-psk-next-0001")):
        content = envelope(next(counter))
        b.add("rotation: the " + place + " of three secrets", sign(content, secret), content, auth=two, made_with=MADE)
    content = envelope(next(counter))
    b.add("rotation: none of three secrets", sign(content, "retail-psk-unknown-1"), content, auth=two, status=401, made_with=MADE)
    word = "schlüssel-ключ-🔑"
    b.add("the key is the UTF-8 text of the secret", sign(content, word), content, auth=[{"scheme": "hub-signature", "secrets": [word]}], made_with=MADE)


def other_schemes(b, counter):
    def deliver(n):
        return [("Content-Type", "application/json")], envelope(n, "task.update", {"id": TASK["id"]})
    tokens.basic_cases(b, deliver, short=True)
    tokens.bearer_cases(b, deliver)
    both = AUTH + [{"scheme": "basic", "users": ["retail:correct horse battery"]}]
    basic = ("Authorization", "Basic " + b64(b"retail:correct horse battery"))
    wrong = ("Authorization", "Basic " + b64(b"retail:wrong horse battery"))
    body = envelope(next(counter))
    b.add("two schemes: both pass", sign(body) + [basic], body, auth=both, made_with=MADE)
    b.add("two schemes: the signature alone", sign(body), body, auth=both, status=401, made_with=MADE)
    b.add("two schemes: the password alone", [basic], body, auth=both, status=401, made_with="base64")
    b.add("two schemes: a wrong password", sign(body) + [wrong], body, auth=both, status=401, made_with=MADE)
    b.add("two schemes: a wrong signature", sign(b"other") + [basic], body, auth=both, status=401, made_with=MADE)
    body = envelope(next(counter))
    b.add("a public URL: scheme none", [("Content-Type", "application/json")], body, auth=[{"scheme": "none"}])
    body = envelope(next(counter))
    b.add("a public URL: a signature nobody asked for is not looked at", sign(b"other"), body, auth=[{"scheme": "none"}], made_with=MADE)


def configuration(b):
    hub = lambda *secrets: [{"scheme": "hub-signature", "secrets": list(secrets)}]
    refused = " is refused when the configuration is loaded"
    b.check("a secret of 15 bytes" + refused, 1, hub("123456789012345"))
    b.check("a secret of 16 bytes is enough", 0, hub("1234567890123456"))
    b.check("a short secret beside a long one" + refused, 1, hub(SECRET, "short"))
    b.check("a blank secret" + refused, 1, hub(" " * 20))
    b.check("no secret at all" + refused, 1, hub())
    b.check("no auth entry" + refused, 1, [])
    b.check("an unknown scheme" + refused, 1, [{"scheme": "hub-signature-256", "secrets": [SECRET]}])
    b.check("scheme none, written out, is warned of but passes", 0, [{"scheme": "none"}])
    b.check("a word that malformed does not know" + refused, 1, AUTH, {"malformed": "drop"})
    b.check("a word that dedupe.by does not know" + refused, 1, AUTH, {"dedupe": {"by": "signature"}})
    b.check("a dedupe window that is no duration" + refused, 1, AUTH, {"dedupe": {"window": "a week"}})
    b.check("an unknown key of a source" + refused, 1, AUTH, {"dedup": {"window": "1h"}})
