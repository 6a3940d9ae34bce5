"""The reader of CommBox: XML, SOAP and three JSON roots over one small tree."""

import xml.parsers.expat

from . import event, strictjson, taxonomy, times
from .event import Quarantined
from .strictjson import Malformed

DATED = {"Object.OnNew": None, "Object.OnNewChild": ("Children", "Child"), "Object.OnNewActivity": ("Activities", "Activity")}


class Element:
    """An XML element; start and end are byte offsets into the text it stands in."""

    def __init__(self, name, attributes, start):
        self.name, self.attributes, self.start, self.end = name.rpartition(":")[2], attributes, start, None
        self.children, self.words = [], []

    def named(self, name):
        if name in self.attributes:
            return [self.attributes[name]]
        found = [c for c in self.children if c.name == name]
        if name == "Id" and len(found) > 1:
            raise Malformed("two ids")
        return found


def parse_xml(data):
    parser = xml.parsers.expat.ParserCreate()
    stack, root = [], []

    def start(name, attributes):
        element = Element(name, attributes, parser.CurrentByteIndex)
        (stack[-1].children if stack else root).append(element)
        stack.append(element)
        if len(stack) > strictjson.DEPTH:
            raise Malformed("deeper than 64")

    def end(name):
        element, at = stack.pop(), parser.CurrentByteIndex
        closing = b"</" + name.encode()
        element.end = data.index(b">", at) + 1 if data[at:at + len(closing)] == closing else at

    def text(words):
        stack[-1].words.append(words)

    def doctype(*_):
        raise Malformed("a document type")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, doctype
    try:
        parser.Parse(data, True)
    except xml.parsers.expat.ExpatError as error:
        raise Malformed(str(error))
    return root[0]


def outermost(element):
    if element.name == "Event":
        return [element]
    return [found for child in element.children for found in outermost(child)]


def texts(element):
    whole = "".join(element.words)
    if not element.children and whole.startswith("<Event"):
        return [whole.encode()]
    return [found for child in element.children for found in texts(child)]


def values(at, name):
    """What stands under a name: attribute, child elements or JSON member, a JSON list being several."""
    if isinstance(at, Element):
        return at.named(name)
    if isinstance(at, strictjson.Node) and at.kind == "object":
        found = at.value.get(name)
        return [] if found is None else found.value if found.kind == "list" else [found]
    return []


def lookup(at, name):
    found = values(at, name)
    return found or (values(at, "id") if name == "Id" else [])


def as_text(at):
    if isinstance(at, str):
        return at or None
    if isinstance(at, Element):
        return None if at.children else "".join(at.words) or None
    return at.text() if isinstance(at, strictjson.Node) else None


def follow(at, path):
    """The text at the first dotted alternative; of several elements the first counts."""
    for alternative in (path or "").split("|"):
        here = [at]
        for name in alternative.split(".") if alternative else []:
            here = lookup(here[0], name) if here else []
        if alternative and here and as_text(here[0]) is not None:
            return as_text(here[0])
    return None


def one_event(at, data, source):
    subscription, name, brand = (follow(at, n) for n in ("Subscription", "Name", "Brand"))
    native = subscription + "." + name if subscription and name else source.get("event")
    listed = taxonomy.rows("commbox").get(native)
    subject, ms = None, None
    if listed:
        names = ("commbox." + native.lower(), listed[0], listed[1])
        subject = follow(at, listed[2])
        date = " ".join((follow(at, listed[3]) or "").split()) or None
        ms = times.commbox(date)
    else:
        names = event.unknown("commbox", native)
        if native:
            subject = follow(at, native.split(".")[0] + ".Id")
        date = None
    entity = (native or "").split(".")[0]
    request_id = follow(at, "requestId") or (follow(at, entity + ".requestId") if entity else None)
    fields = [("requestId", request_id)] if request_id else dated(at, native, brand, subscription, name, subject, date)
    return event.make("commbox", data, fields, *names, subject, brand, request_id, 1, ms)


def dated(at, native, brand, subscription, name, entity_id, date):
    if native not in DATED:
        return None
    fields = [("Brand", brand), ("Subscription", subscription), ("Name", name), ("EntityId", entity_id)]
    if DATED[native]:
        outer, inner = DATED[native]
        items = [i for o in lookup(at, "Object") for group in lookup(o, outer) for i in lookup(group, inner)]
        if len(items) != 1:
            return None
        fields.append(("ItemId", follow(items[0], "Id")))
    fields.append(("Date", date))
    return fields if all(value for _, value in fields) else None


def read(request, source, signed):
    body = request["body"]
    if body[:3] == b"\xef\xbb\xbf":
        body = body[3:]
    body = body.lstrip(b" \t\r\n")
    if body[:1] == b"<":
        root = parse_xml(body)
        found = [one_event(e, body[e.start:e.end], source) for e in outermost(root)]
        if not found:
            for inner in texts(root):
                element = parse_xml(inner)
                found.append(one_event(element, inner[element.start:element.end], source))
        return found or [Quarantined()]
    if body[:1] != b"{":
        raise Malformed("neither XML nor a JSON object")
    root = strictjson.parse(body)
    node = root.get("Event") or root.get("payload") or root
    nodes = node.value if node.kind == "list" else [node]
    return [one_event(n, body[n.start:n.end], source) if n.kind == "object" else Quarantined() for n in nodes]
