"""CommBox's cases."""

from . import cases, tokens
from .signing import b64, compact

AUTH = [{"scheme": "basic", "users": ["commbox-intake:winter-of-77"]}]
BASIC = ("Authorization", "Basic " + b64(b"commbox-intake:winter-of-77"))
XML, JSON = ("Content-Type", "text/xml; charset=utf-8"), ("Content-Type", "application/json; charset=utf-8")
BRAND = "northwind"


def event(native, inner, brand=BRAND):
    subscription, _, name = native.partition(".")
    return '<Event Subscription="%s" Name="%s" Brand="%s">%s</Event>' % (subscription, name, brand, inner)


def activity(n, date="12-05-2024 09:30:15", kind="2", data='{"statusId": 8}', brand=BRAND):
    inner = '<Activity Id="%d" Type="%s" CreateDate="%s"><User Id="88"></User><Data>%s</Data></Activity>' % (n, kind, date, data)
    return event("Object.OnNewActivity", '<Object Id="770%d" StreamId="71"><Activities>%s</Activities></Object>' % (n, inner), brand)


def child(n, date="2024-05-12 09:30:15"):
    return {"Subscription": "Object", "Name": "OnNewChild", "Brand": BRAND,
            "Object": {"Id": "880%d" % n, "Children": {"Child": {"Id": "%d" % n, "CreateDate": date, "Type": "5", "Message": "שלום", "ManagerId": "0"}}}}


def user(n):
    return '<User Id="%d" UniqueID="" Phone1="972500000002" Email="noa@example.net" FirstName="Noa" LastName=""><Content>{}</Content></User>' % n


LISTED = {
    "Object.OnNew": '<Object Id="5501" StreamId="3" SubStreamId="0" Type="5" StatusID="1" CreateDate="2024-05-12 08:00:01" StreamProviderId="care@example.net" StreamProviderType="Mail"><Message>Hi</Message></Object>',
    "Object.OnNewChild": '<Object Id="5501" StreamId="3" SubStreamId="0"><Children><Child Id="990" CreateDate="12-05-2024 08:05:00" Type="5" StreamProviderType="Mail"><Message>me again</Message></Child></Children></Object>',
    "Object.OnNewActivity": '<Object Id="5501" StreamId="3"><Activities><Activity Id="991" Type="8" CreateDate="05/12/2024 08:06:00"><User Id="88"><Identity Id="16" /></User><Data>{"text":"call","scheduledTime":"05/13/2024 05:30:00"}</Data></Activity></Activities></Object>',
    "Object.OnUpdateTag": '<Object Id="5501"><Tags><Tag Id="31" Action="Add" /></Tags></Object>',
    "User.OnNew": user(6601), "User.OnUpdate": user(6602), "User.OnUpdateTag": '<User Id="6601" Content="{}"><Tags><Tag Id="31" Action="Remove" /></Tags></User>',
    "Satisfaction.OnSubmit": "<Satisfaction><ObjectId>5501</ObjectId><Score>80</Score><Description>ok</Description></Satisfaction>",
    "Form.OnSubmit": "<Form><ObjectId>5501</ObjectId><FormUrl>https://forms.example.net/7</FormUrl><Properties>{\"size\":\"XL\"}</Properties></Form>",
    "Chat.OnUserExit": '<Chat><User id="6601"></User><Object id="5502"></Object></Chat>',
    "Tag.OnAdd": '<Tag><tagId>32</tagId><name>vip</name></Tag>', "Tag.OnUpdate": '<Tag Id="33"><name>VIP</name></Tag>',
}
SUBJECTS = ("5501", "5501", "5501", "5501", "6601", "6602", "6601", "5501", "5501", "5502", "32", "33")


def book():
    b = cases.Book("commbox", AUTH)

    def xml(name, text, kind=XML, **more):
        b.add(name, [kind, BASIC], text if isinstance(text, bytes) else text.encode(), made_with="base64", **more)

    def jsn(name, value, kind=JSON, **more):
        b.add(name, [kind, BASIC], value if isinstance(value, bytes) else compact(value).encode(), made_with="base64", **more)

    for (native, inner), subject in zip(LISTED.items(), SUBJECTS):
        xml(native, event(native, inner), want=[{"type": "commbox." + native.lower(), "subject": subject, "tenant": BRAND}])
    in_json(jsn)
    identity(xml, jsn)
    dates(xml)
    shapes(xml, jsn)
    unknown(xml, jsn)
    unreadable(b, xml, jsn)
    deliver = lambda n: ([XML], event("User.OnUpdate", '<User Id="%d"/>' % n).encode())
    tokens.basic_cases(b, deliver, short=True)
    tokens.access_token_cases(b, deliver)
    tokens.bearer_cases(b, deliver, short=True)
    both = AUTH + [{"scheme": "access-token", "prefix": "Bearer", "secrets": ["intake-token-5b8f0c"]}]
    b.add("two schemes that want the same header can never both pass", [XML, BASIC], activity(470).encode(), auth=both, status=401, made_with="base64")
    b.add("no authentication: scheme none", [XML], activity(471).encode(), auth=[{"scheme": "none"}])
    cases.edge(b, lambda body, path=None: [XML, BASIC], activity(498).encode(), made_with="base64")
    b.check("a word that malformed does not know is refused when the configuration is loaded", 1, AUTH, {"malformed": "ignore"})
    b.check("a window of 30 minutes", 0, AUTH, {"dedupe": {"window": "30m", "by": "event"}})
    return b.cases


def in_json(jsn):
    tag = {"eventName": "OnAdd", "tagId": "41", "groupId": "0", "name": "Rückgabe", "isObject": "True", "isUser": "False"}
    for native, inner, subject in (("Object.OnNew", {"Object": {"Id": "5601", "CreateDate": "2024-05-12 08:00:01", "Content": {"a": 1.0}}}, "5601"),
                                   ("Object.OnUpdateTag", {"Object": {"Id": 5602, "Tags": {"Tag": {"Id": "31", "Action": "Add"}}}}, "5602"), ("User.OnNew", {"User": {"Id": "6701"}}, "6701"),
                                   ("Satisfaction.OnSubmit", {"Satisfaction": {"ObjectId": "5601", "Score": "100"}}, "5601"), ("Form.OnSubmit", {"Form": {"ObjectId": "5601", "Properties": "{}"}}, "5601"),
                                   ("Chat.OnUserExit", {"Chat": {"User": {"id": "6701"}, "Object": {"id": "5603"}}}, "5603"), ("Tag.OnAdd", {"Tag": tag}, "41"), ("Tag.OnUpdate", {"Tag": {"Id": "42"}}, "42")):
        subscription, _, name = native.partition(".")
        jsn("JSON " + native, {"Event": {"Subscription": subscription, "Name": name, "Brand": BRAND, **inner}}, want=[{"type": "commbox." + native.lower(), "subject": subject}])
    jsn("JSON: the event is the bare object", child(501), want=[{"type": "commbox.object.onnewchild", "subject": "880501"}])
    jsn("JSON: the root payload with names in it", {"payload": child(502)}, want=[{"type": "commbox.object.onnewchild", "subject": "880502"}])
    payload = {"payload": {"Message": "first", "Content": {"guidRT": "f00d"}, "ManagerId": "0", "Snippet": "first", "User": {"Id": "6703", "Content": {}}}}
    names = {"event": "Object.OnNew"}
    jsn("JSON: the root payload names no event", payload, want=[{"type": "commbox.unknown", "entitytype": "unknown", "action": "unknown", "subject": None, "tenant": None}])
    payload["payload"]["Message"] = "second"
    jsn("JSON: the root payload under the name that the source gives", payload, source=names, want=[{"type": "commbox.object.onnew", "entitytype": "conversation", "action": "created", "subject": None}])
    jsn("JSON: the root payload of User.OnUpdate by the source, subject User.Id", {"payload": {"User": {"Id": "6704"}}}, source={"event": "User.OnUpdate"},
        want=[{"type": "commbox.user.onupdate", "subject": "6704"}])
    jsn("JSON: a name in the body goes before the name that the source gives", {"Event": {"Subscription": "Tag", "Name": "OnAdd", "Tag": {"tagId": "43"}}}, source=names, want=[{"type": "commbox.tag.onadd"}])
    jsn("JSON: {} is an event without a name, no probe", b"{}", want=[{"type": "commbox.unknown"}])
    several = {"Event": [child(503), {"Subscription": "User", "Name": "OnNew", "Brand": BRAND, "User": {"Id": "6705"}}, child(504)]}
    jsn("JSON: a list of three events", several, want=[{"subject": "880503"}, {"subject": "6705"}, {"subject": "880504"}])
    jsn("JSON: the list again", several, after=["JSON: a list of three events"], outcome="duplicate", classes=["replay"] * 3)
    jsn("JSON: a list with one that is new", {"Event": [child(503), child(505)]}, after=["JSON: a list of three events"], want=[{"subject": "880505"}], classes=["replay"])
    jsn("JSON: one event twice in a list", {"Event": [child(506), child(506)]}, want=[{"subject": "880506"}], classes=["replay"])
    jsn("JSON: white space and a byte order mark in front", b"\xef\xbb\xbf \r\n" + compact({"Event": child(507)}).encode() + b"\n", want=[{"subject": "880507"}])
    jsn("JSON: white space inside belongs to the event, around it does not", b'{ "Event" : ' + compact(child(508)).encode().replace(b",", b" ,\n") + b" }", want=[{"subject": "880508"}])
    jsn("JSON: an escaped text and doubles keep their bytes", compact({"Event": child(509)}).encode().replace(b'"ManagerId":"0"', b'"x":"\\u05e9\\/","n":[1.0,1e400]'))
    jsn("JSON: under an XML content type", {"Event": child(510)}, kind=("Content-Type", "application/xml"))
    one = child(511)
    one["Object"]["Children"]["Child"] = [one["Object"]["Children"]["Child"]]
    jsn("JSON: a list of one Child is one Child", {"Event": one}, want=[{"subject": "880511", "time": "2024-05-12T09:30:15.000Z"}])
    odd = compact({"Event": child(512)}).encode()
    jsn("JSON: a byte that is no UTF-8 in an identity field: digest", odd.replace(b'"Id":"512"', b'"Id":"5\xff12"'), want=[{"subject": "880512"}])
    jsn("JSON: a lone surrogate in the subject: digest", odd.replace(b'"880512"', b'"88\\ud80012"'), want=[{"subject": "88\ufffd12"}])
    jsn("JSON: control characters in an id", odd.replace(b'"880512"', b'"88\\r\\n12"'), want=[{"subject": "88\ufffd\ufffd12"}])
    jsn("JSON: a depth of 64 is read", compact({"Event": {**child(513), "x": "@"}}).encode().replace(b'"@"', cases.nested(62)))


def identity(xml, jsn):
    first = "an activity to be compared"
    xml(first, activity(300))
    for name, text in (("the same bytes", activity(300)), ("other white space", activity(300).replace("><", ">\n  <")), ("another Type and Data", activity(300, kind="1", data="x")),
                       ("the date broken over two lines", activity(300, date="12-05-2024\n      09:30:15")), ("the date with white space around", activity(300, date=" 12-05-2024  09:30:15 ")),
                       ("an XML declaration", '<?xml version="1.0" encoding="utf-8"?>' + activity(300)), ("single quotes", activity(300).replace('"300"', "'300'")),
                       ("a character reference in the Brand", activity(300, brand="north&#119;ind"))):
        xml("the same activity: " + name, text, after=[first], outcome="duplicate", classes=["replay"])
    in_json = {"Subscription": "Object", "Name": "OnNewActivity", "Brand": BRAND, "Object": {"Id": 770300, "Activities": {"Activity": {"Id": 300, "CreateDate": "12-05-2024 09:30:15"}}}}
    jsn("the same activity: as JSON with numbers", {"Event": in_json}, after=[first], outcome="duplicate", classes=["replay"])
    for name, text in (("Brand", activity(300, brand="southwind")), ("EntityId", activity(300).replace("770300", "770301")), ("ItemId", activity(300).replace('"300"', '"301"')),
                       ("Date", activity(300, date="12-05-2024 09:30:16")), ("form of the same date", activity(300, date="2024-05-12 09:30:15"))):
        xml("another activity: another " + name, text, after=[first])
    two = activity(310).replace("</Activities>", '<Activity Id="311" CreateDate="12-05-2024 10:00:00"/></Activities>')
    xml("two activities in one event: digest, the time of the first", two, want=[{"time": "2024-05-12T09:30:15.000Z"}])
    for name, text in (("Brand", activity(312).replace(' Brand="northwind"', "")), ("empty Brand", activity(313, brand="")), ("ItemId", activity(314).replace('<Activity Id="314"', "<Activity")),
                       ("Date", activity(315).replace(' CreateDate="12-05-2024 09:30:15"', "")), ("EntityId", activity(316).replace(' Id="770316"', ""))):
        xml("an activity without " + name + ": digest", text)
    xml("Brand is written with a capital: brand is another name", activity(317).replace("Brand=", "brand="), want=[{"tenant": None}])
    xml("Id may be id, but ID is another name", activity(318).replace('<Object Id=', '<Object ID='), want=[{"subject": None}])
    update = event("User.OnUpdate", user(6610))
    xml("User.OnUpdate to be compared", update)
    xml("User.OnUpdate: equal bytes are the same event", "\n" + update + "\n", after=["User.OnUpdate to be compared"], outcome="duplicate", classes=["replay"])
    xml("User.OnUpdate: other bytes are another event", update.replace("Noa", "Noah"), after=["User.OnUpdate to be compared"])
    request = '<Event Subscription="User" Name="OnUpdate" Brand="northwind" requestId="%s"><User Id="6611" FirstName="%s"/></Event>'
    xml("requestId of the event alone", request % ("r-1", "a"), want=[{"nativeid": "r-1", "subject": "6611"}])
    xml("requestId of the event: other bytes, the same event", request % ("r-1", "b"), after=["requestId of the event alone"], outcome="duplicate", classes=["replay"])
    xml("requestId of the event: another one is another event", request % ("r-2", "a"), after=["requestId of the event alone"], want=[{"nativeid": "r-2"}])
    xml("requestId as a child of its entity", event("Tag.OnAdd", "<Tag><tagId>51</tagId><requestId>r-3</requestId></Tag>"), want=[{"nativeid": "r-3", "subject": "51"}])
    xml("requestId goes before the dated fields", activity(319).replace("<Object ", '<Object requestId="r-4" '), want=[{"nativeid": "r-4"}])
    jsn("an empty requestId is none", {"Event": {"Subscription": "Tag", "Name": "OnAdd", "Brand": BRAND, "Tag": {"tagId": "52", "requestId": ""}}}, want=[{"nativeid": None}])
    jsn("requestId as a number", {"Event": {"Subscription": "Tag", "Name": "OnAdd", "Brand": BRAND, "Tag": {"tagId": "53", "requestId": 9007199254740993}}}, want=[{"nativeid": "9007199254740993"}])
    by_attempt = {"dedupe": {"by": "attempt"}}
    xml("dedupe by attempt: the id ends in -1", activity(320), source=by_attempt)
    xml("dedupe by attempt: the same again", activity(320), source=by_attempt, after=["dedupe by attempt: the id ends in -1"], outcome="duplicate", classes=["replay"])


def dates(xml):
    for name, date, time in (("year first", "2024-02-29 23:59:59", "2024-02-29T23:59:59.000Z"), ("day first", "05-06-2024 01:02:03", "2024-06-05T01:02:03.000Z"), ("month first", "05/06/2024 01:02:03", "2024-05-06T01:02:03.000Z"),
                             ("day first, day 13", "13-12-2024 00:00:00", "2024-12-13T00:00:00.000Z"), ("day first with a month 13", "12-13-2024 00:00:00", None), ("month first with a month 13", "13/12/2024 00:00:00", None),
                             ("29 February of no leap year", "2023-02-29 00:00:00", None), ("an hour 24", "2024-05-12 24:00:00", None), ("before 2000", "1999-12-31 23:59:59", None), ("words", "yesterday", None)):
        n = 400 + len(name)
        xml("CreateDate " + name, activity(n, date=date).replace('Id="770', 'Id="771' if time else 'Id="772'), want=[{"time": time, "timesource": "event" if time else "received"}])
    tags = event("Object.OnUpdateTag", '<Object Id="5510" CreateDate="2024-05-12 08:00:01"><Tags><Tag Id="31" Action="Add" /></Tags></Object>')
    xml("an Object's CreateDate is no time of its tags", tags, want=[{"time": None, "timesource": "received"}])
    xml("an Object's CreateDate is no time of a child without one", event("Object.OnNewChild", '<Object Id="5511" CreateDate="2024-05-12 08:00:01"><Children><Child Id="1"/></Children></Object>'), want=[{"time": None}])
    xml("OnNew with child elements instead of attributes", event("Object.OnNew", "<Object><Id>5512</Id><CreateDate>2024-05-12 08:00:01</CreateDate></Object>"),
        want=[{"subject": "5512", "time": "2024-05-12T08:00:01.000Z"}])


def shapes(xml, jsn):
    soap = '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="%s"><soap:Header/><soap:Body>%s</soap:Body></soap:Envelope>'
    v11, v12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
    xml("SOAP 1.1", soap % (v11, "<apiKey>k-7</apiKey>" + activity(600)), want=[{"subject": "770600"}])
    xml("SOAP 1.2", soap % (v12, activity(601)), kind=("Content-Type", 'application/soap+xml; charset=utf-8; action=""'), want=[{"subject": "770601"}])
    xml("SOAP: the event of SOAP is the event without it", activity(601), after=["SOAP 1.2"], outcome="duplicate", classes=["replay"])
    xml("SOAP: three events in one body", soap % (v11, activity(602) + "\n" + event("User.OnNew", user(6620)) + activity(603)), want=[{"subject": "770602"}, {"subject": "6620"}, {"subject": "770603"}])
    xml("SOAP: an operation around the event", soap % (v11, '<n:Notify xmlns:n="urn:x"><n:data>' + activity(604) + "</n:data></n:Notify>"), want=[{"subject": "770604"}])
    xml("the event under a prefix of its own", '<cb:Event xmlns:cb="urn:commbox" Subscription="User" Name="OnNew" Brand="northwind">' + user(6621) + "</cb:Event>", want=[{"subject": "6621"}])
    xml("the event in a default namespace", activity(605).replace("<Event ", '<Event xmlns="urn:commbox" '), want=[{"subject": "770605"}])
    xml("several events below one element", "<Events>" + activity(606) + activity(607) + "</Events>", want=[{"subject": "770606"}, {"subject": "770607"}])
    xml("an Event inside an Event is part of it", event("User.OnUpdate", user(6622) + '<Event Subscription="User" Name="OnNew"/>'), want=[{"type": "commbox.user.onupdate", "subject": "6622"}])
    text = activity(608)
    xml("the event as text in a CDATA section", "<Notify><data><![CDATA[" + text + "]]></data></Notify>", want=[{"subject": "770608"}])
    escaped = activity(609).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    xml("the event as escaped text", "<Notify><data>" + escaped + "</data></Notify>", want=[{"subject": "770609"}])
    xml("an empty element is an event", '<Event Subscription="User" Name="OnUpdate" Brand="northwind"/>', want=[{"type": "commbox.user.onupdate", "subject": None}])
    xml("white space and a byte order mark in front", b"\xef\xbb\xbf\r\n\t" + activity(610).encode(), want=[{"subject": "770610"}])
    xml("comments and a processing instruction around", "<!-- sent by hand --><?note x?>" + activity(611) + "\n<!-- end -->\n", want=[{"subject": "770611"}])
    xml("line ends and tabs inside stay as they are", activity(612).replace("><", ">\r\n\t<"), want=[{"subject": "770612"}])
    xml("entities and references are text in attributes, bytes in data", activity(613, brand="A&amp;B &#x26; C"), want=[{"tenant": "A&B & C"}])
    xml("UTF-8 in attributes", activity(614, brand="חברה-סחר"), want=[{"tenant": "חברה-סחר"}])
    xml("CDATA inside an event", activity(615, data='<![CDATA[{"a":"<b>&"}]]>'), want=[{"subject": "770615"}])
    xml("curly quotes in text that is well formed", event("Form.OnSubmit", "<Form><ObjectId>5520</ObjectId><Properties>{“size”:”XL”}</Properties></Form>"), want=[{"subject": "5520"}])
    xml("several Children in one event stay one event", event("Object.OnNewChild", '<Object Id="5521"><Children><Child Id="1" CreateDate="2024-05-12 08:00:01"/><Child Id="2" CreateDate="2024-05-12 08:00:02"/></Children></Object>'),
        want=[{"subject": "5521", "time": "2024-05-12T08:00:01.000Z"}])
    for kind in ("application/json", "application/x-www-form-urlencoded", "nonsense"):
        xml("XML under the content type " + kind, activity(620 + len(kind)), kind=("Content-Type", kind))


def unknown(xml, jsn):
    xml("an unknown event: subject is the Id of its entity", event("Object.OnMerged", '<Object Id="5530"/>'), want=[{"type": "commbox.object.onmerged", "entitytype": "object", "action": "onmerged", "subject": "5530"}])
    xml("an unknown entity", event("Agent.OnLogin", '<Agent Id="88"/>'), want=[{"type": "commbox.agent.onlogin", "entitytype": "agent", "action": "onlogin", "subject": "88"}])
    jsn("an unknown entity in JSON with a lower-case id", {"Event": {"Subscription": "Agent", "Name": "OnLogout", "Brand": BRAND, "Agent": {"id": 89}}}, want=[{"subject": "89"}])
    xml("no Name", '<Event Subscription="Object" Brand="northwind"><Other/></Event>', want=[{"type": "commbox.unknown", "subject": None, "tenant": BRAND}])
    xml("no Subscription", '<Event Name="OnNew" Brand="northwind"><Other/></Event>', want=[{"type": "commbox.unknown", "entitytype": "unknown", "action": "unknown"}])
    xml("no name, but the source gives one", '<Event Brand="northwind"><User Id="6630"/></Event>', source={"event": "User.OnNew"}, want=[{"type": "commbox.user.onnew", "subject": "6630"}])


def unreadable(b, xml, jsn):
    good, good_json = activity(450), compact({"Event": child(450)}).encode()
    deep = lambda n: event("User.OnNew", "<a>" * n + "</a>" * n)
    for name, text in (("an empty body", ""), ("white space alone", " \n"), ("words", "hello"), ("a form", "Event=1"), ("an element that is never closed", good.replace("</Event>", "")),
                       ("elements closed in the wrong order", good.replace("</Activities></Object>", "</Object></Activities>")), ("a closing tag that is an empty element", good.replace("</User>", "</User />")),
                       ("a form with curly quotes that is never closed", event("Form.OnSubmit", "<Form<ObjectId>1</ObjectId><Properties>{“a”:”b”}</Properties>")), ("curly quotes around an attribute", good.replace('"northwind"', "“northwind”")),
                       ("no Event", "<Ping/>"), ("no Event in SOAP", '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>'), ("an element named event", good.replace("Event", "event")),
                       ("two roots", good + good), ("words in front of the root", "junk" + good), ("words behind the root", good + "junk"), ("an attribute twice", good.replace("<Object ", '<Object Id="1" ')),
                       ("two Id elements", event("Object.OnNew", "<Object><Id>1</Id><Id>2</Id></Object>")), ("an entity that is not declared", activity(450, data="&nbsp;")), ("a bare ampersand", activity(450, data="a & b")),
                       ("a document type without entities", "<!DOCTYPE Event>" + good), ("a document type behind a declaration", '<?xml version="1.0"?>\n<!DOCTYPE Event SYSTEM "https://example.net/e.dtd">' + good),
                       ("an entity that grows", '<!DOCTYPE Event [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>' + activity(450, data="&b;&b;")), ("a parameter entity", '<!DOCTYPE Event [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]>' + good),
                       ("a reference to a zero", activity(450, data="&#0;")), ("a control character", activity(450, data="\x01")), ("a hundred levels", deep(100))):
        xml("quarantine: " + name, text, outcome="quarantined", want=[])
    xml("quarantine: a byte that is no UTF-8", good.encode().replace(b"statusId", b"status\xffId"), outcome="quarantined", want=[])
    xml("fifty levels are read", deep(48), want=[{"type": "commbox.user.onnew"}])
    for name, body in (("a list", b"[" + good_json + b"]"), ("cut", good_json[:-5]), ("bytes behind the value", good_json + b"<"), ("two values", good_json * 2), ("a name twice", good_json.replace(b'"Brand"', b'"Brand":"x","Brand"')),
                       ("a name twice at depth", good_json.replace(b'"Type"', b'"Id":"1","Type"')), ("Event twice", b'{"Event":' + compact(child(1)).encode() + b',"Event":' + compact(child(2)).encode() + b"}"),
                       ("a depth of 65", compact({"Event": {"x": "@"}}).encode().replace(b'"@"', cases.nested(63)))):
        jsn("quarantine: JSON, " + name, body, outcome="quarantined", want=[])
    b.add("malformed reject: broken XML is 400", [XML, BASIC], b"<Event>", source={"malformed": "reject"}, status=400, made_with="base64")
    b.add("malformed reject: broken JSON is 400", [JSON, BASIC], b'{"Event":', source={"malformed": "reject"}, status=400, made_with="base64")
    xml("malformed reject: a good event is accepted", activity(451), source={"malformed": "reject"})
    b.add("a document type without authentication is refused unread", [XML], b"<!DOCTYPE Event>" + good.encode(), status=401)
