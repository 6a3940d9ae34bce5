"""What an event is made of: its id, its expected attributes, and the marker of an unreadable part."""

import base64
import hashlib

from . import times


class Quarantined:
    """A part of a request that could not be read."""


def digest(data):
    return hashlib.sha256(data).hexdigest()


def event_id(provider, identity, source="test"):
    """The first 16 bytes of the SHA-256 over the length-prefixed fields, as hex."""
    fields = [provider, source] + [text for pair in identity for text in pair]
    h = hashlib.sha256()
    for text in fields:
        raw = text.encode("utf-8")
        h.update(len(raw).to_bytes(8, "big") + raw)
    return h.hexdigest()[:32]


def broken(text):
    """Whether the text holds something that is no Unicode: a byte that is no UTF-8, or a lone surrogate."""
    return any(0xD800 <= ord(c) <= 0xDFFF for c in text)


def plain(text):
    """A text attribute: what CloudEvents forbids in one becomes U+FFFD."""
    if text is None:
        return None
    return "".join("\ufffd" if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or broken(c) else c for c in text)


def make(provider, data, fields, kind, entitytype, action, subject=None, tenant=None, nativeid=None, attempt=1, ms=None,
         timesource="event"):
    """The expected event. fields is the identity, or None for the digest of data; ms None means the time of receipt."""
    if not fields or any(broken(value) for _, value in fields):
        fields = [("digest", digest(data))]
    found = {"id": event_id(provider, fields), "identity": [list(pair) for pair in fields], "type": plain(kind)}
    found.update({"subject": plain(subject), "tenant": plain(tenant), "entitytype": plain(entitytype), "entityid": plain(subject)})
    found.update({"action": plain(action), "attempt": attempt})
    found["time"] = times.written(ms) if ms is not None else None
    found["timesource"] = timesource if ms is not None else "received"
    found.update({"nativeid": plain(nativeid), "data_b64": base64.b64encode(data).decode()})
    return {name: value for name, value in found.items() if value is not None or name == "time"}


def unknown(provider, native, first=None):
    """(type, entity type, action) of an event that the table does not list; first is the part the segments are counted in."""
    if not native:
        return provider + ".unknown", "unknown", "unknown"
    segments = (first or native).lower().split(".")
    return provider + "." + native.lower(), segments[0], segments[-1]
