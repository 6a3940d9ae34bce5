"""Netcore CE's cases."""

import json
import urllib.parse

from . import cases, tokens
from .signing import b64, compact

AUTH = [{"scheme": "basic", "users": ["smartech:monsoon-2024"]}]
BASIC = ("Authorization", "Basic " + b64(b"smartech:monsoon-2024"))
FORM = ("Content-Type", "application/x-www-form-urlencoded")
PANEL = "bazaar"
LISTED = ("email.delivered", "email.open", "email.click", "email.bounce", "sms.delivered", "sms.click", "apn.delivered", "apn.click", "bpn.delivered", "bpn.click",
          "whatsapp.delivered", "whatsapp.open", "whatsapp.click", "whatsapp.failed", "rcs.delivered", "rcs.open", "rcs.click", "rcs.failed", "custom_activity")
PARAMS = {"foreignkey": "noa@example.net", "timestamp": "2024-05-12T09:30:15", "ts": 240512093015}
LOCAL, UTC = "2024-05-12T09:30:15", "2024-05-12T04:00:15.000Z"


def element(n, channel="sms", word="delivered", params=None, **more):
    found = {"channel": channel, "event": word, "msgid": str(n), "event_params": PARAMS if params is None else params}
    found.update(more)
    return {k: v for k, v in found.items() if v is not ...}


def listed(n, native):
    """A journey event with all the members that the page shows."""
    channel, _, word = native.partition(".")
    found = {"channel": channel, "event": word, "custom_params": {"Action": "run"}, "att_params": {"MOBILE": "9800000001"}, "msgid": str(n), "webhook_name": "wh-bazaar",
             "payload_params": {"items": [{"prqt_s": 1, "price_s": 499.0}]}, "event_params": {**PARAMS, "name": None}, "journey_name": "Welcome"}
    return {k: v for k, v in found.items() if k != ("event" if channel == "custom_activity" else "payload_params")}


def form(value, safe=""):
    return ("data=" + urllib.parse.quote(value if isinstance(value, (bytes, str)) else compact(value), safe=safe)).encode()


def batch(*elements, panel=PANEL):
    return {panel: list(elements)}


def book():
    b = cases.Book("netcore", AUTH)

    def send(name, body, kind=FORM, **more):
        b.add(name, [kind, BASIC] if kind else [BASIC], body if isinstance(body, bytes) else form(body), made_with="base64", **more)

    for n, native in enumerate(LISTED):
        send(native, batch(listed(n, native)), want=[{"type": "netcore." + native, "subject": "noa@example.net", "tenant": PANEL, "time": UTC, "timesource": "zone-assumed"}])
    counter = iter(range(500, 900))
    words(send, counter)
    fields(send, counter)
    batches(send, counter)
    bodies(send, counter)
    probes(b, send)
    unreadable(b, send, counter)
    deliver = lambda n: ([FORM], form(batch({"channel": "sms", "event": "click", "msgid": str(n)})))
    tokens.basic_cases(b, deliver)
    b.add("token authentication does not work: a bearer token where Basic is wanted", [FORM, ("Authorization", "Bearer monsoon-2024")], form(batch(element(470))), status=401, made_with="none needed")
    b.add("no authentication: scheme none", [FORM], form(batch(element(471))), auth=[{"scheme": "none"}])
    b.add("no authentication: the empty batch is a probe", [FORM], b"data=%5B%5D", auth=[{"scheme": "none"}], outcome="probe")
    cases.edge(b, lambda body, path=None: [FORM, BASIC], form(batch(element(498))), made_with="base64")
    b.check("an unknown time zone is refused when the configuration is loaded", 1, AUTH, {"timezone": "Asia/Atlantis"})
    b.check("a time zone by its IANA name", 0, AUTH, {"timezone": "America/Sao_Paulo"})
    b.check("a password of six characters is the provider's matter: a warning only", 0, [{"scheme": "basic", "users": ["panel:sixsix"]}])
    return b.cases


def words(send, counter):
    for word, mapped, action in (("deliver", "delivered", "delivered"), ("Delivered", "delivered", "delivered"), ("opened", "open", "opened"), ("OPEN", "open", "opened"), ("clicked", "click", "clicked"), ("Click", "click", "clicked"),
                                 ("bounced", "bounce", "bounced"), ("BOUNCE", "bounce", "bounced"), ("fail", "failed", "failed"), ("Failed", "failed", "failed"), ("Spam.Report", "spam.report", "spam.report")):
        send("the word " + word, batch(element(next(counter), "email", word)), want=[{"type": "netcore.email." + mapped, "entitytype": "email", "action": action}])
    for channel, kind in (("EMAIL", "email"), ("Sms", "sms"), ("APN", "push"), ("Bpn", "push"), ("WhatsApp", "whatsapp"), ("RCS", "rcs"), ("Viber", "viber")):
        send("the channel " + channel, batch(element(next(counter), channel)), want=[{"type": "netcore." + channel.lower() + ".delivered", "entitytype": kind, "action": "delivered"}])
    send("the channel Custom_Activity without an event", batch(element(next(counter), "Custom_Activity", ...)), want=[{"type": "netcore.custom_activity", "entitytype": "activity", "action": "performed"}])
    send("an unknown channel and an unknown word", batch(element(next(counter), "Kiosk", "Printed")), want=[{"type": "netcore.kiosk.printed", "entitytype": "kiosk", "action": "printed"}])
    send("neither channel nor event", batch(element(next(counter), ..., ...)), want=[{"type": "netcore.unknown", "entitytype": "unknown", "action": "unknown", "subject": "noa@example.net"}])
    send("channel null and event empty are neither", batch(element(next(counter), None, "")), want=[{"type": "netcore.unknown"}])
    send("an element without members", b"data=%7B%22bazaar%22%3A%5B%7B%7D%5D%7D", want=[{"type": "netcore.unknown", "subject": None, "time": None}])


def fields(send, counter):
    one = lambda name, params, want, **more: send(name, batch(element(next(counter), params=params)), want=[want], **more)
    for name, params, subject in (("foreignkey first", {"mobile": "4", "email": "3", "identity": "2", "foreignkey": "1"}, "1"), ("identity second", {"mobile": "4", "email": "3", "identity": "2"}, "2"), ("email third", {"mobile": "4", "email": "3"}, "3"),
                                  ("mobile last", {"mobile": "4"}, "4"), ("null and empty are skipped", {"foreignkey": None, "identity": "", "email": "e@example.net"}, "e@example.net"), ("a number", {"foreignkey": 919800000001}, "919800000001"),
                                  ("a number above 2^53", {"foreignkey": 9007199254740993}, "9007199254740993"), ("none", {"name": "x"}, None), ("in UTF-8", {"foreignkey": "नोआ"}, "नोआ")):
        one("subject: " + name, {**params, "ts": 240512093015}, {"subject": subject, "time": UTC})
    send("no event_params: no subject, the time of receipt", batch(element(next(counter), event_params=...)), want=[{"subject": None, "time": None, "timesource": "received"}])
    send("event_params a text", batch(element(next(counter), event_params="x")), want=[{"subject": None}])
    for name, params, time, timesource in (("timestamp goes before ts", {"timestamp": LOCAL, "ts": 240101000000}, UTC, "zone-assumed"), ("ts as a number", {"ts": 240512093015}, UTC, "zone-assumed"), ("ts as text", {"ts": "240512093015"}, UTC, "zone-assumed"),
                                           ("timestamp null: ts", {"timestamp": None, "ts": 240512093015}, UTC, "zone-assumed"), ("timestamp empty: ts", {"timestamp": "", "ts": "240512093015"}, UTC, "zone-assumed"),
                                           ("over midnight", {"timestamp": "2024-03-01T02:00:00"}, "2024-02-29T20:30:00.000Z", "zone-assumed"), ("with Z", {"timestamp": "2024-05-12T09:30:15Z"}, "2024-05-12T09:30:15.000Z", "event"),
                                           ("with an offset", {"timestamp": "2024-05-12T09:30:15-03:00"}, "2024-05-12T12:30:15.000Z", "event"), ("with an offset and a fraction", {"timestamp": "2024-05-12T09:30:15.98765+05:30"}, "2024-05-12T04:00:15.987Z", "event"),
                                           ("neither", {}, None, "received"), ("ts with a month 13", {"ts": 241312093015}, None, "received"), ("ts with an hour 24", {"ts": "240512243015"}, None, "received"), ("ts as epoch seconds", {"ts": 1715486415}, None, "received"),
                                           ("ts as epoch milliseconds", {"ts": 1715486415000}, None, "received"), ("timestamp before 2000", {"timestamp": "1999-06-01T00:00:00"}, None, "received"), ("timestamp of words", {"timestamp": "yesterday"}, None, "received")):
        one("time: " + name, {"foreignkey": "t", **params}, {"time": time, "timesource": timesource})
    for zone, local, time in (("Europe/Berlin", "2024-07-01T12:00:00", "2024-07-01T10:00:00.000Z"), ("Europe/Berlin", "2024-01-01T12:00:00", "2024-01-01T11:00:00.000Z"), ("UTC", "2024-07-01T12:00:00", "2024-07-01T12:00:00.000Z"),
                              ("America/New_York", "2024-07-01T20:00:00", "2024-07-02T00:00:00.000Z"), ("Asia/Kolkata", "2024-07-01T12:00:00", "2024-07-01T06:30:00.000Z"), ("Asia/Kathmandu", "2024-07-01T12:00:00", "2024-07-01T06:15:00.000Z")):
        one("timezone " + zone + ": " + local, {"foreignkey": "z", "timestamp": local}, {"time": time, "timesource": "zone-assumed"}, source={"timezone": zone})
    one("timezone Europe/Berlin: ts", {"foreignkey": "z", "ts": 240701120000}, {"time": "2024-07-01T10:00:00.000Z"}, source={"timezone": "Europe/Berlin"})
    one("timezone Europe/Berlin: a timestamp with a zone is used as it is", {"foreignkey": "z", "timestamp": "2024-07-01T12:00:00Z"}, {"time": "2024-07-01T12:00:00.000Z", "timesource": "event"}, source={"timezone": "Europe/Berlin"})
    odd = compact(batch(element(next(counter), params={"foreignkey": "odd-key"}))).encode()
    send("a byte that is no UTF-8 in the subject", form(odd.replace(b"odd-key", b"odd\xffkey")), want=[{"subject": "odd\ufffdkey"}])
    send("control characters in the subject", form(odd.replace(b"odd-key", b"odd\\r\\nkey")), want=[{"subject": "odd\ufffd\ufffdkey"}])
    send("a lone surrogate in the subject", form(odd.replace(b"odd-key", b"odd\\ud800key")), want=[{"subject": "odd\ufffdkey"}])
    send("guid and msgid are no nativeid", batch(element(next(counter), "custom_activity", ..., {"foreignkey": "g", "guid": "7d1c", "activity_id": 118})), want=[{"nativeid": None}])


def batches(send, counter):
    a, c, d = (element(next(counter)) for _ in range(3))
    first = "a batch of two to be compared"
    send(first, batch(a, c), want=[{}, {}])
    send("the batch again", batch(a, c), after=[first], outcome="duplicate", classes=["replay", "replay"])
    send("the batch in another order", batch(c, a), after=[first], outcome="duplicate", classes=["replay", "replay"])
    send("one known, one new", batch(a, d), after=[first], want=[{}], classes=["replay"])
    send("an equal pair of which one is known", batch(a, a), after=[first], want=[{}], classes=["replay"])
    send("the same element of another panel is another event", batch(a, panel="bazaar_eu"), after=[first], want=[{"tenant": "bazaar_eu"}])
    send("the same element with spaces between its tokens is another event", form(compact(batch(a)).replace('":', '": ')), after=[first])
    send("spaces around an element do not count", form(compact(batch(a)).replace("[", " [ ").replace("]", "\n]\n")), after=[first], outcome="duplicate", classes=["replay"])
    send("a known element beside a part that is no object", form(compact(batch(a, 5))), after=[first], outcome="quarantined", classes=["replay"])
    e = element(next(counter))
    three = "three equal elements are three events"
    send(three, batch(e, e, e), want=[{}, {}, {}])
    send("three equal elements again", batch(e, e, e), after=[three], outcome="duplicate", classes=["replay"] * 3)
    send("a fourth of them", batch(e, e, e, e), after=[three], want=[{}], classes=["replay"] * 3)
    new = lambda: element(next(counter))
    send("two panels in one body", {"north": [new(), new()], "south": [new()]}, want=[{"tenant": "north"}, {"tenant": "north"}, {"tenant": "south"}])
    f = new()
    send("equal elements of two panels are the first of each", {"north": [f], "south": [f]}, want=[{"tenant": "north"}, {"tenant": "south"}])
    send("a panel whose value is an object is one event", {PANEL: new()}, want=[{"tenant": PANEL}])
    send("an empty panel beside a full one", {"north": [], "south": [new()]}, want=[{"tenant": "south"}])
    send("a mixed batch of all channels", batch(*(element(next(counter), ch, w) for ch, w in (("email", "bounce"), ("sms", "click"), ("apn", "delivered"), ("rcs", "failed")))), want=[{}, {}, {}, {}])
    for name, odd in (("a number", 7), ("a text", "x"), ("null", None), ("a list", [])):
        send("an element that is " + name + " among good neighbours", batch(new(), odd, new()), want=[{}, {}])
    send("every element no object", batch(1, "x", None), outcome="quarantined", want=[])
    send("a panel name in UTF-8", batch(new(), panel="बाज़ार"), want=[{"tenant": "बाज़ार"}])
    send("a panel named data", batch(new(), panel="data"), want=[{"tenant": "data"}])
    by_attempt = {"dedupe": {"by": "attempt"}}
    g = new()
    send("dedupe by attempt: the id ends in -1", batch(g), source=by_attempt)
    send("dedupe by attempt: the same again", batch(g), source=by_attempt, after=["dedupe by attempt: the id ends in -1"], outcome="duplicate", classes=["replay"])


def bodies(send, counter):
    new = lambda **more: batch(element(next(counter), **more))
    plus = new(journey_name="a b+c & d = 100% %25 ;")
    first = "plus, ampersand, equals and percent in a value"
    send(first, form(plus), want=[{}])
    send("a plus is a space as %20 is", form(plus).replace(b"%20", b"+"), after=[first], outcome="duplicate", classes=["replay"])
    send("percent-encoding in lower case", form(plus).replace(b"%2B", b"%2b").replace(b"%7B", b"%7b"), after=[first], outcome="duplicate", classes=["replay"])
    send("more encoded than needed", form(plus).replace(b"bazaar", b"%62azaar"), after=[first], outcome="duplicate", classes=["replay"])
    send("in double quotes", b"data=%22" + form(plus)[5:] + b"%22", after=[first], outcome="duplicate", classes=["replay"])
    send("in double quotes that are not encoded", b'data="' + form(plus)[5:] + b'"', after=[first], outcome="duplicate", classes=["replay"])
    send("fields in front and behind are ignored", b"token=1&" + form(plus) + b"&data2=x&", after=[first], outcome="duplicate", classes=["replay"])
    send("braces and quotes that are not encoded", form(plus, safe='{}[]":,'), after=[first], outcome="duplicate", classes=["replay"])
    send("a JSON body", compact(plus).encode(), after=[first], outcome="duplicate", classes=["replay"])
    send("a JSON body with data", compact({"data": plus}).encode(), after=[first], outcome="duplicate", classes=["replay"])
    send("a JSON body with data as text", compact({"data": compact(plus)}).encode(), after=[first], outcome="duplicate", classes=["replay"])
    send("a JSON body with white space in front", b"\r\n\t " + compact(plus).encode(), after=[first], outcome="duplicate", classes=["replay"])
    send("a JSON body is not decoded as a form", compact(new(journey_name="%41+%42")).encode(), want=[{}])
    send("a JSON body with a list under data: a panel of that name", compact({"data": [element(next(counter))]}).encode(), want=[{"tenant": "data"}])
    send("a JSON body with data as text holding UTF-8 and escapes", compact({"data": compact(new(journey_name="नमस्ते \"hi\" \\ /"))}).encode(), want=[{}])
    send("UTF-8, percent-encoded", new(journey_name="नमस्ते 🙂"), want=[{}])
    send("UTF-8, not percent-encoded", b"data=" + compact(new(journey_name="नमस्ते")).replace(" ", "%20").encode(), want=[{}])
    send("escapes and doubles keep their bytes", form(compact(new(x="@")).replace('"@"', '[161.0,1.0E-4,-0,1e400,"\\u0928\\/"]')), want=[{}])
    send("printed over several lines", form(json.dumps(new(), indent=2)), want=[{}])
    send("a value that looks encoded is decoded once", new(journey_name="%257B%22"), want=[{}])
    send("a depth of 64 is read", form(compact(new(x="@")).replace('"@"', cases.nested(61).decode())), want=[{}])
    for name, kind in (("JSON", ("Content-Type", "application/json")), ("with a charset", ("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")), ("text/xml", ("Content-Type", "text/xml")), ("none", None)):
        send("a form under the content type " + name, form(new()), kind=kind, want=[{}])
    send("JSON under the content type JSON", compact(new()).encode(), kind=("Content-Type", "application/json"), want=[{}])


def probes(b, send):
    for name, body in (("an empty body", b""), ("data=", b"data="), ("data=[]", b"data=[]"), ("data=[] encoded", b"data=%5B%5D"), ("data={} encoded", b"data=%7B%7D"), ("data={}", b"data={}"), ("one empty panel", form({PANEL: []})),
                       ("two empty panels", form({"north": [], "south": []})), ("an empty panel as JSON", compact({PANEL: []}).encode())):
        send("empty batch: " + name, body, outcome="probe")
        if name not in ("an empty body", "data=", "two empty panels"):
            continue
        b.add("empty batch: " + name + ", refused without authentication", [FORM], body, status=401)
    b.add("empty batch: a wrong password", [FORM, ("Authorization", "Basic " + b64(b"smartech:monsoon-2023"))], b"data=%5B%5D", status=401, made_with="base64")


def unreadable(b, send, counter):
    good = form(batch(element(450)))
    once = compact(batch(element(450)))
    for name, body in (("no data in the form", b"foo=bar"), ("DATA is another name", good.replace(b"data=", b"DATA=")), ("data twice", good + b"&" + good), ("data twice, one empty", b"data=&" + good), ("encoded twice", form(urllib.parse.quote(once, safe=""))),
                       ("a semicolon parts nothing", good + b";x=1"), ("not JSON", b"data=hello"), ("cut in the middle", good[:-30]), ("a text", b"data=%22hello%22"), ("a number", b"data=42"), ("two values", form(once + once)), ("bytes behind the value", form(once + "x")),
                       ("a panel twice", form(once[:-1] + "," + once[1:])), ("a name twice in an element", form(once.replace('"msgid"', '"channel":"rcs","msgid"'))), ("a name twice at depth", form(once.replace('"ts":', '"timestamp":"x","ts":'))),
                       ("a depth of 65", form(compact(batch(element(450, x="@"))).replace('"@"', cases.nested(62).decode()))), ("a panel that is a text", form({PANEL: "x"})), ("XML", b"<Event/>"), ("broken JSON as body", once[:-2].encode()),
                       ("data as text that is not JSON", compact({"data": "hello"}).encode())):
        send("quarantine: " + name, body, outcome="quarantined", want=[])
    reject = {"malformed": "reject"}
    b.add("malformed reject: data that is not JSON is 400", [FORM, BASIC], b"data=hello", source=reject, status=400, made_with="base64")
    b.add("malformed reject: a form without data is 400", [FORM, BASIC], b"foo=bar", source=reject, status=400, made_with="base64")
    send("malformed reject: one bad element among good ones is no reason", batch(element(next(counter)), 7), source=reject, want=[{}])
    send("malformed reject: the empty batch stays a probe", b"data=", source=reject, outcome="probe")
