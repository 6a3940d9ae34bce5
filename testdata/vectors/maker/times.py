"""Times of the providers as milliseconds since 1970, or None where the value is none."""

import datetime
import re
import zoneinfo

FIRST = 946684800000        # 2000-01-01
LAST = 253402300799999      # 9999-12-31, its last millisecond
RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")
LOCAL = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)")
SHORT = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)")
COMMBOX = (
    (re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)"), (0, 1, 2)),
    (re.compile(r"(\d\d)-(\d\d)-(\d{4}) (\d\d):(\d\d):(\d\d)"), (2, 1, 0)),   # day first
    (re.compile(r"(\d\d)/(\d\d)/(\d{4}) (\d\d):(\d\d):(\d\d)"), (2, 0, 1)),   # month first
)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def sensible(ms):
    return ms if ms is not None and FIRST <= ms <= LAST else None


def millis(moment):
    return (moment - EPOCH) // datetime.timedelta(milliseconds=1)


def moment(numbers, zone):
    try:
        return datetime.datetime(*numbers, tzinfo=zone)
    except ValueError:
        return None


def epoch(text):
    """Digits are epoch milliseconds."""
    return sensible(int(text)) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


def rfc3339(text):
    m = RFC3339.fullmatch(text or "")
    if not m:
        return None
    when = moment([int(g) for g in m.groups()[:6]], datetime.timezone.utc)
    if when is None:
        return None
    offset = 0
    if m[8] != "Z":
        offset = int(m[8][1:3]) * 60 + int(m[8][4:6])
        offset = -offset if m[8][0] == "-" else offset
    cut = int(((m[7] or ".")[1:] + "000")[:3])  # finer fractions are cut
    return sensible(millis(when) - offset * 60000 + cut)


def local(text, short, zone):
    """Netcore: (milliseconds, timesource) of timestamp, else ts."""
    if text and RFC3339.fullmatch(text):
        ms = rfc3339(text)
        return (ms, "event") if ms is not None else (None, "received")
    if text:
        m = LOCAL.fullmatch(text)
        numbers = [int(g) for g in m.groups()] if m else None
    else:
        m = SHORT.fullmatch(short or "")
        numbers = [int(g) for g in m.groups()] if m else None
        if numbers:
            numbers[0] += 2000
    when = moment(numbers, zoneinfo.ZoneInfo(zone)) if numbers else None
    ms = sensible(millis(when.astimezone(datetime.timezone.utc))) if when else None
    return (ms, "zone-assumed") if ms is not None else (None, "received")


def commbox(text):
    for form, order in COMMBOX:
        if m := form.fullmatch(text or ""):
            numbers = [int(m.groups()[i]) for i in order] + [int(g) for g in m.groups()[3:]]
            when = moment(numbers, datetime.timezone.utc)
            return sensible(millis(when)) if when else None
    return None


def written(ms):
    when = EPOCH + datetime.timedelta(milliseconds=ms)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (ms % 1000)
