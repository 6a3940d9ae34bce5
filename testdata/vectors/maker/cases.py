"""The list of cases of one provider. Each is read and judged again when it is added, so a case that contradicts itself fails."""

import base64

from . import event, judge, readers

BASE = "https://hooks.example.com"
PATH = "/hooks/test"
READ = ("accepted", "duplicate", "quarantined")


class Book:
    def __init__(self, provider, auth, keys=None, sources=None):
        self.provider, self.auth, self.keys = provider, auth, keys or {}
        self.cases, self.by_name = [], {}

    def add(self, name, headers, body=b"", *, outcome="accepted", status=None, want=None, classes=None, auth=None, source=None,
            after=None, now=None, method="POST", path=PATH, wire=True, note=None, made_with="no signature"):
        """outcome is what the author expects, status set for an answer without one; want and classes are checked against the reader."""
        auth = self.auth if auth is None else auth
        request = {"method": method, "path": path, "url": BASE + path, "headers": [list(h) for h in headers], "body": body}
        case = {"name": name, "provider": self.provider, "note": note, "auth": auth, "source": source, "after": after}
        case["wire"] = None if wire else False
        case["now"] = now
        case["request"] = {**{k: v for k, v in request.items() if k != "body"}, "body_b64": base64.b64encode(body).decode()}
        if status is None or status == 200:
            case["expect"] = {"status": 200, "outcome": outcome, **self.read(name, request, case, outcome, want, classes)}
        else:
            case["expect"] = {"status": status, "outcome": None, "events": []}
            if status == 401:
                assert not judge.passes(auth, request, now, self.keys), name + ": passes"
        case["made_with"] = made_with
        self.keep(case)

    def check(self, name, exit_status, auth, source=None, note=None):
        """A case of the configuration alone."""
        self.keep({"name": name, "provider": self.provider, "note": note, "auth": auth, "source": source, "wire": None,
                   "expect": {"check_exit": exit_status}, "made_with": None})

    def keep(self, case):
        assert case["name"] not in self.by_name, case["name"]
        self.by_name[case["name"]] = case
        optional = ("note", "source", "after", "wire")
        if "request" not in case:
            optional += ("now", "after")
        self.cases.append({k: v for k, v in case.items() if v is not None or k not in optional})

    def read(self, name, request, case, outcome, want, classes):
        if outcome == "probe":
            if request["method"] == "POST" and not (self.provider == "sprinklr" and request["body"] == b"{}"):
                assert judge.passes(case["auth"], request, case["now"], self.keys), name + ": refused"
                assert readers.read(self.provider, request, case["source"] or {}, False) == [], name + ": no probe"
            return {"events": []}
        assert judge.passes(case["auth"], request, case["now"], self.keys), name + ": refused"
        known = {}
        for earlier in case["after"] or []:
            self.deliver(self.by_name[earlier], known)
        new, again, parts = self.deliver(case, known)
        kind = "accepted" if new else "quarantined" if parts else "duplicate"
        assert kind == outcome, (name, kind)
        for i, attributes in enumerate(want or []):
            for key, value in attributes.items():
                assert new[i].get(key) == value, (name, key, new[i].get(key))
        assert want is None or len(want) == len(new), (name, len(new))
        assert classes is None or classes == [d["class"] for d in again], (name, again)
        return {"events": new, **({"duplicates": again} if again else {})}

    def deliver(self, case, known):
        """Lets a journal that knows the ids and attempts in known see the case."""
        body = base64.b64decode(case["request"]["body_b64"])
        source = case["source"] or {}
        signed = any(entry["scheme"] == "bird-signature" for entry in case["auth"])
        new, again, parts = [], [], 0
        for e in readers.read(self.provider, {**case["request"], "body": body}, source, signed):
            if isinstance(e, event.Quarantined):
                parts += 1
                continue
            if source.get("dedupe", {}).get("by") == "attempt":
                e["id"] += "-" + str(e["attempt"])
            attempts = known.setdefault(e["id"], [])
            if not attempts:
                new.append(e)
            else:
                kind = "replay" if e["attempt"] in attempts else "retry" if e["attempt"] > max(attempts) else "late"
                again.append({"id": e["id"], "class": kind})
            attempts.append(e["attempt"])
        return new, again, parts


def edge(book, headers_of, body, now=None, unsigned=(), made_with="no signature", **more):
    """What the HTTP edge decides before a scheme or a reader sees anything; headers_of signs a body."""
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        signed, content = (headers_of(body), body) if method == "PUT" else ([], b"")
        book.add(method + " is not allowed", signed, content, status=405, method=method, now=now, made_with=made_with if content else "no signature")
    path = "/hooks/unknown"
    book.add("a path that no source has, well signed: 404", headers_of(body, path), body, status=404, path=path, now=now, made_with=made_with)
    for path, what in (("/hooks/test/", "a trailing slash is another path"), ("/hooks/TEST", "the path in capitals is another path"), ("/hooks/te%73t", "an encoded letter is another path"),
                       ("/hooks", "the folder of the sources is no source")):
        book.add(what + ": 404", [], status=404, path=path)
    for encoding in ("gzip", "deflate, br"):
        book.add("Content-Encoding " + encoding + " is not enabled: 415", headers_of(body) + [("Content-Encoding", encoding)], body, status=415,
                 now=now, made_with=made_with)
    book.add("HEAD needs no authentication", [], outcome="probe", method="HEAD")
    book.add("GET needs no authentication", [], outcome="probe", method="GET")
    book.add("GET under a wrong credential is a probe all the same",
             [("Authorization", "Basic bm86b25l"), ("X-Hub-Signature", "sha256=00"), ("x-siqsignature", "AAAA")], outcome="probe", method="GET")
    book.add("GET with a query is a probe", [], outcome="probe", method="GET", path="/hooks/test?check=1")


def nested(depth, inner=b"1"):
    """A JSON value of so many nested lists."""
    return b"[" * depth + inner + b"]" * depth
