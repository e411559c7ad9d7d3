"""Reads a calendar with two libraries that are not ours, and prints what each one found as a line of JSON:
uid, start and end in UTC, title, text and categories. Given a second file it also writes a calendar as others do."""

import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import icalendar
import vobject


def utc(at):
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def with_icalendar(text):
    calendar = icalendar.Calendar.from_ical(text)
    for event in calendar.walk("VEVENT"):
        assert not event.errors, event.errors
        yield {
            "uid": str(event["UID"]),
            "start": utc(event["DTSTART"].dt),
            "end": utc(event["DTEND"].dt),
            "title": str(event["SUMMARY"]),
            "text": str(event["DESCRIPTION"]),
            "categories": [str(c) for c in event["CATEGORIES"].cats],
        }


def with_vobject(text):
    calendar = vobject.readOne(text)
    for event in calendar.vevent_list:
        yield {
            "uid": event.uid.value,
            "start": utc(event.dtstart.value),
            "end": utc(event.dtend.value),
            "title": event.summary.value,
            "text": event.description.value,
            "categories": list(event.categories.value),
        }


def write(path):
    """A weekly meeting with a zone's rules in the file, a day off, and one that repeats by a rule of its own."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//somebody//else//")
    calendar.add("version", "2.0")
    zone = ZoneInfo("America/New_York")
    meeting = icalendar.Event()
    meeting.add("uid", "1")
    meeting.add("dtstamp", datetime(2026, 1, 1, tzinfo=timezone.utc))
    meeting.add("summary", "Meeting; every week, " + "long " * 30)
    meeting.add("dtstart", datetime(2026, 12, 1, 9, 30, tzinfo=zone))
    meeting.add("dtend", datetime(2026, 12, 1, 11, 0, tzinfo=zone))
    meeting.add("rrule", {"freq": "weekly", "byday": ["TU", "TH"]})
    meeting.add("exdate", datetime(2027, 3, 9, 9, 30, tzinfo=zone))
    calendar.add_component(meeting)
    off = icalendar.Event()
    off.add("uid", "2")
    off.add("dtstamp", datetime(2026, 1, 1, tzinfo=timezone.utc))
    off.add("summary", "Off")
    off.add("dtstart", datetime(2027, 3, 13).date())
    off.add("dtend", datetime(2027, 3, 13).date() + timedelta(days=2))
    calendar.add_component(off)
    calendar.add_missing_timezones()
    with open(path, "wb") as file:
        file.write(calendar.to_ical())


with open(sys.argv[1], encoding="utf-8", newline="") as file:
    text = file.read()
for read in (with_icalendar, with_vobject):
    print(json.dumps(sorted(read(text), key=lambda e: e["uid"])))
if len(sys.argv) > 2:
    write(sys.argv[2])
