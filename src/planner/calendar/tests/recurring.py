"""Writes recurring.txt: rules by months and years, and the days on which python-dateutil has them.

    python3 -m venv v && v/bin/pip install python-dateutil && v/bin/python recurring.py >recurring.txt
"""

import importlib.metadata
import random
from datetime import datetime, timedelta

from dateutil.rrule import rrulestr

# From the examples of RFC 5545, 3.8.5.3, that have no weeks of the year, days of the year or hours.
RULES = """19970902 FREQ=MONTHLY;COUNT=10;BYDAY=1FR
19970905 FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR
19970907 FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU
19970922 FREQ=MONTHLY;COUNT=6;BYDAY=-2MO
19970928 FREQ=MONTHLY;BYMONTHDAY=-3
19970902 FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15
19970930 FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1
19970910 FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15
19970902 FREQ=MONTHLY;INTERVAL=2;BYDAY=TU
19970610 FREQ=YEARLY;COUNT=10;BYMONTH=6,7
19970310 FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3
19970519 FREQ=YEARLY;BYDAY=20MO
19970313 FREQ=YEARLY;BYMONTH=3;BYDAY=TH
19970605 FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8
19970902 FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13
19970913 FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13
19961105 FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8
19970904 FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3
19970929 FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2
20070115 FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5
20200131 FREQ=MONTHLY
20200229 FREQ=YEARLY
20200131 FREQ=MONTHLY;INTERVAL=5;COUNT=7
20210101 FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1
20210331 FREQ=MONTHLY;BYMONTH=3,6,9,12;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1""".splitlines()

DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def some(dice, of, most):
    return ",".join(map(str, dice.sample(list(of), dice.randint(1, most))))


def rule(dice):
    yearly = dice.random() < 0.4
    parts = ["FREQ=" + ("YEARLY" if yearly else "MONTHLY")]
    if dice.random() < 0.4:
        parts.append(f"INTERVAL={dice.choice([2, 3, 5, 7, 12] if not yearly else [2, 3, 4])}")
    if dice.random() < 0.4:
        parts.append("BYMONTH=" + some(dice, range(1, 13), 4))
    if dice.random() < 0.4:
        parts.append("BYMONTHDAY=" + some(dice, [*range(1, 32), *range(-31, 0)], 6))
    # Numbers and no numbers side by side are left out: dateutil wants both, the RFC either.
    kind = dice.random()
    if kind < 0.35:
        ends = [1, 2, 3, 4, 5, -1, -2, -5] + ([10, 20, 53, -30, -53] if yearly else [])
        parts.append("BYDAY=" + ",".join(f"{dice.choice(ends)}{day}" for day in dice.sample(DAYS, dice.randint(1, 3))))
    elif kind < 0.6:
        parts.append("BYDAY=" + some(dice, DAYS, 5))
    if len(parts) > 1 and "BY" in parts[-1] and dice.random() < 0.3:
        parts.append("BYSETPOS=" + some(dice, [1, 2, 3, 7, -1, -2, -4], 3))
    end = dice.random()
    if end < 0.3:
        parts.append(f"COUNT={dice.randint(1, 60)}")
    return ";".join(parts)


dice = random.Random(5545)
print(f"# By recurring.py with python-dateutil {importlib.metadata.version('python-dateutil')}: the first day of an event, its")
print("# rule, the day from which on it is asked for, and days of the 3 years from there (at most 40).")
cases = [line.split() for line in RULES]
while len(cases) < 300:
    first = datetime(1996, 1, 1) + timedelta(dice.randint(0, 11000))
    cases.append((first.strftime("%Y%m%d"), rule(dice)))
for first, text in cases:
    start = datetime.strptime(first, "%Y%m%d")
    # The RFC's times are in UTC, and so are these.
    days = rrulestr(text.replace("Z", ""), dtstart=start)
    window = start + timedelta(dice.choice([0, 0, 100, 1000, 3000, 6000]))
    end = window + timedelta(3 * 365)
    try:
        found = [day.strftime("%Y%m%d") for day in days.between(window, end - timedelta(1), inc=True)][:40]
    except IndexError:
        continue  # It stumbles over some 53rd weekdays.
    print(first, text, window.strftime("%Y%m%d"), ",".join(found) or "-")
