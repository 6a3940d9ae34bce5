"""Readers of the providers whose events are JSON objects, and of Netcore's form: bytes in, expected events out."""

import urllib.parse

from . import commbox_reader, event, strictjson, taxonomy, times
from .event import Quarantined
from .strictjson import Malformed, follow


def read(provider, request, source, signed):
    """The events of an authenticated request, in order; a Quarantined stands for a part. An empty list is a probe."""
    try:
        return READERS[provider](request, source, signed)
    except Malformed:
        return [Quarantined()]


def the_object(body):
    node = strictjson.parse(body)
    if node.kind != "object":
        raise Malformed("no object")
    return node


def absent(*values):
    return any(v is None for v in values)


def sprinklr(request, source, signed):
    body = request["body"]
    node = the_object(body)
    if node.get("type") is None and node.get("data") is not None and node.get("data").kind == "object":
        node = node.get("data")
    data = body[node.start:node.end]
    subscription, native_id, kind = (follow(node, p) for p in ("subscriptionDetails.subscriptionId", "id", "type"))
    listed = taxonomy.rows("sprinklr").get(kind)
    if listed:
        names = ("sprinklr." + kind, listed[0], listed[1])
        subject = follow(node, listed[2])
    else:
        names = event.unknown("sprinklr", kind)
        subject = follow(node, "payload.id|payload")
    fields = None
    if not absent(subscription, native_id, kind):
        fields = [("subscriptionId", subscription), ("id", native_id), ("type", kind)]
    return [event.make("sprinklr", data, fields, *names, subject, subscription, native_id, 1, times.epoch(follow(node, "eventTime")))]


SALESIQ_FIELDS = ("webhook.id", "org_id", "app_id", "event", "entity_id", "event_time", "entity.message.msgid")


def salesiq(request, source, signed):
    body = request["body"]
    node = the_object(body)
    data = body[node.start:node.end]
    kind = follow(node, "event")
    listed = taxonomy.rows("salesiq").get(kind)
    names = ("salesiq." + kind, listed[0], listed[1]) if listed else event.unknown("salesiq", kind)
    fields = None
    if not absent(kind, follow(node, "entity_id"), follow(node, "event_time")):
        fields = [(name, follow(node, name)) for name in SALESIQ_FIELDS if follow(node, name) is not None]
    attempt = follow(node, "attempt")
    attempt = int(attempt) if attempt and attempt.isascii() and attempt.isdigit() else 1
    subject = follow(node, "entity_id|entity.id")
    return [event.make("salesiq", data, fields, *names, subject, follow(node, "org_id"), None, attempt,
                       times.epoch(follow(node, "event_time")))]


def one_header(request, name):
    values = [v for n, v in request["headers"] if n.lower() == name]
    return values[0] if values else None


def bird(request, source, signed):
    body = request["body"]
    node = the_object(body)
    data = body[node.start:node.end]
    service, name = follow(node, "service"), follow(node, "event")
    rows = taxonomy.rows("bird")
    names, subject_path, listed = event.unknown("bird", None), "payload.id", None
    if service and name:
        native = service + "." + name
        segments = native.split(".")
        starred = ".".join([segments[0], "*"] + segments[2:])
        listed = rows.get(native) or rows.get(starred)
        names = event.unknown("bird", native, name)
    if listed:
        names, subject_path = ("bird." + native.lower(), listed[0], listed[1]), listed[2]
    stamp, request_id = one_header(request, "messagebird-request-timestamp"), one_header(request, "messagebird-request-id")
    ms = times.rfc3339(follow(node, "payload.lastStatusAt|payload.updatedAt|payload.createdAt"))
    if signed:
        fields = [("timestamp", stamp), ("bodysha256", event.digest(body))]
        ms = ms if ms is not None else int(stamp) * 1000
    else:
        fields = [("messagebird-request-id", request_id)] if request_id else None
    payload = node.get("payload")
    organisation = payload.get("organizationId") if payload is not None else None
    tenant = organisation.text() if organisation is not None and organisation.kind == "text" else None
    return [event.make("bird", data, fields, *names, follow(node, subject_path), tenant, request_id, 1, ms)]


CHANNELS = {"email": "email", "sms": "sms", "apn": "push", "bpn": "push", "whatsapp": "whatsapp", "rcs": "rcs", "custom_activity": "activity"}
WORDS = {"deliver": "delivered", "delivered": "delivered", "open": "open", "opened": "open", "click": "click", "clicked": "click",
         "bounce": "bounce", "bounced": "bounce", "fail": "failed", "failed": "failed"}
ACTIONS = {"delivered": "delivered", "open": "opened", "click": "clicked", "bounce": "bounced", "failed": "failed"}


def netcore_document(body):
    """The JSON text of the batch, or None for an empty one."""
    if body.strip()[:1] in (b"{", b"["):
        root = strictjson.parse(body)
        inner = root.get("data")
        if inner is None or inner.kind == "list":
            return body
        return inner.value.encode("utf-8") if inner.kind == "text" else body[inner.start:inner.end]
    if body == b"":
        return None
    values = []
    for pair in body.split(b"&"):
        name, _, value = pair.partition(b"=")
        if urllib.parse.unquote_to_bytes(name.replace(b"+", b" ")) == b"data":
            values.append(urllib.parse.unquote_to_bytes(value.replace(b"+", b" ")))
    if len(values) != 1:
        raise Malformed("not one data")
    value = values[0]
    if len(value) > 1 and value[:1] == value[-1:] == b'"':
        value = value[1:-1]
    return value or None


def netcore(request, source, signed):
    document = netcore_document(request["body"])
    if document is None or document in (b"[]", b"{}"):
        return []
    root = the_object(document)
    found, seen = [], {}
    for panel, value in root.value.items():
        if value.kind not in ("list", "object"):
            found.append(Quarantined())
            continue
        for element in value.value if value.kind == "list" else [value]:
            if element.kind != "object":
                found.append(Quarantined())
                continue
            data = document[element.start:element.end]
            key = (panel, event.digest(data))
            seen[key] = seen.get(key, 0) + 1
            found.append(netcore_event(element, data, panel, seen[key], source.get("timezone", "Asia/Kolkata")))
    return found


def netcore_event(node, data, panel, ordinal, zone):
    channel, word = follow(node, "channel"), follow(node, "event")
    channel, word = (channel or "").lower(), (word or "").lower()
    mapped = WORDS.get(word, word)
    kind = ".".join(["netcore"] + [part for part in (channel, mapped) if part]) if channel or word else "netcore.unknown"
    entitytype = CHANNELS.get(channel, channel) or "unknown"
    action = ACTIONS.get(mapped, mapped) or ("performed" if channel == "custom_activity" else "unknown")
    subject = follow(node, "event_params.foreignkey|event_params.identity|event_params.email|event_params.mobile")
    ms, timesource = times.local(follow(node, "event_params.timestamp"), follow(node, "event_params.ts"), zone)
    fields = [("panel", panel), ("digest", event.digest(data)), ("ordinal", str(ordinal))]
    return event.make("netcore", data, fields, kind, entitytype, action, subject, panel, None, 1, ms, timesource)


READERS = {"sprinklr": sprinklr, "salesiq": salesiq, "commbox": commbox_reader.read, "netcore": netcore, "bird": bird}
