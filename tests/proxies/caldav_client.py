"""A CalDAV client behind the proxy. Run by apps.sh.

caldav_client.py URL USER PASSWORD CA: makes a calendar with an event, unless there is one, and reads the event. Every host
is on this machine.
"""

import logging
import socket
import sys

import caldav

# A refusal is an exception, and no more has to be said of it.
logging.disable()

url, user, password, ca = sys.argv[1:5]
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda _host, *rest, **named: resolve("127.0.0.1", *rest, **named)

EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//test//EN
BEGIN:VEVENT
UID:lunch@example.test
DTSTAMP:20300101T000000Z
DTSTART:20300101T120000Z
DTEND:20300101T130000Z
SUMMARY:lunch
END:VEVENT
END:VCALENDAR
"""

try:
    with caldav.DAVClient(url, username=user, password=password, ssl_verify_cert=ca) as client:
        principal = client.principal()
        calendars = principal.calendars()
        if not calendars:
            calendars = [principal.make_calendar(name="meals")]
            calendars[0].save_event(EVENT)
            print("made and ", end="")
        event = calendars[0].events()[0]
        print("read:", event.icalendar_component["summary"])
except caldav.lib.error.AuthorizationError:
    print("AuthorizationError")
