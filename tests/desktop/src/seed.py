"""Fills a server's embedded database: seed.py BASE, the wish as JSON on
standard input. The same wish gives the same rows."""
import hashlib
import json
import random
import sqlite3
import sys
import time
import uuid

wish = json.load(sys.stdin)
dice = random.Random(1843)
base = sqlite3.connect(sys.argv[1])
base.execute("PRAGMA foreign_keys = ON")
TENANT = uuid.UUID("00000000-0000-0000-0000-000000000001").bytes
NOW = int(time.time() * 1000)
DAY = 86_400_000
names, machines = wish["names"], wish["machines"]


def ordered(at):
    """A UUID of version 7: rows made later sort later."""
    value = (at << 80) | (7 << 76) | (dice.getrandbits(12) << 64) | (2 << 62) | dice.getrandbits(62)
    return uuid.UUID(int=value).bytes


def digest():
    return hashlib.sha256(dice.randbytes(16)).hexdigest()


def insert(table, rows):
    if rows:
        columns = ", ".join(rows[0])
        marks = ", ".join("?" * len(rows[0]))
        base.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", [tuple(row.values()) for row in rows])


admin, admin_name, password = base.execute("SELECT id, display_name, password_hash FROM users ORDER BY created_at LIMIT 1").fetchone()
users = []
for number in range(wish["users"]):
    at = NOW - (wish["users"] - number) * DAY // 4
    name, called = f"user.{number:04}", names[number % len(names)]
    users.append({
        "id": ordered(at), "tenant_id": TENANT, "username": name, "username_key": name,
        "search_key": f"{name}\n{called}".lower(), "display_name": called, "role": ["operator", "viewer", "admin", "end_user"][number % 4],
        "password_hash": password, "enabled": number % 7 != 3, "must_change_password": number % 11 == 5,
        "created_at": at, "last_login_at": None if number % 5 == 1 else at + DAY // 8,
    })
insert("users", users)
people = [(admin, admin_name)] + [(user["id"], user["display_name"]) for user in users]

ENDS = ["closed_by_technician", "closed_by_person", "agent_lost", "expired", "denied", "timed_out", "cancelled"]
sessions, codes = [], []
for number in range(wish["sessions"]):
    at = NOW - (wish["sessions"] - number) * 777_000 - 4_000_000
    who, called = people[number % len(people)]
    reason = ENDS[number % len(ENDS)]
    agreed = reason in ENDS[:3]
    live = number >= wish["sessions"] - wish["open"]
    agreed = agreed or live
    access = "control" if number % 3 else "view_only"
    sessions.append({
        "id": ordered(at), "tenant_id": TENANT, "is_managed": False, "source": "standalone",
        "status": "suspended" if live else "ended", "consent_state": "granted" if agreed else "denied",
        "requested_access": access, "accepted_access": access if agreed else None, "created_by": who,
        "technician_name": called, "organization": "Acme IT", "hostname": machines[number % len(machines)] if agreed else None,
        "operating_system": ["Windows 11 Pro 24H2", "Debian GNU/Linux 12 (bookworm)"][number % 2] if agreed else None,
        "resume_hash": digest() if live else None, "end_reason": None if live else reason, "created_at": at,
        "started_at": at + 40_000 if agreed else None, "ended_at": None if live else at + 40_000 + dice.randrange(9_000_000),
    })
    codes.append({
        "id": ordered(at), "tenant_id": TENANT, "session_id": sessions[-1]["id"], "code_hash": digest(),
        "status": "consumed", "created_by": who, "created_at": at, "expires_at": at + 900_000, "consumed_at": at + 20_000,
    })
insert("connect_sessions", sessions)
insert("connect_support_codes", codes)

EVENTS = [
    ("login", "ok", {}), ("login_failed", "refused", {"reason": "wrong password"}), ("code_created", "ok", {}),
    ("consent_granted", "ok", {"access": "control"}), ("viewer_joined", "ok", {"access": "control", "viewer": 1}),
    ("user_changed", "ok", {"role": "operator", "permissions": ["view", "control", "create_codes", "manage_users"]}),
    ("settings_changed", "ok", {"settings": ["organization", "most_viewers"]}), ("session_ended", "ok", {"reason": "closed_by_person"}),
]
events = []
for number in range(wish["audit"]):
    event, outcome, details = EVENTS[number % len(EVENTS)]
    who, called = people[number % len(people)]
    joined = event == "viewer_joined"
    about = sessions[number % len(sessions)]["id"] if sessions and event.startswith(("code", "consent", "viewer", "session")) else None
    events.append({
        "tenant_id": TENANT, "session_id": about, "event_type": event, "viewer_id": "1" if joined else None,
        "viewer_name": called if joined else None, "actor_id": who if outcome == "ok" else None,
        "target": called if event in ("login_failed", "user_changed") else None, "outcome": outcome,
        "details": json.dumps(details), "ip_address": ["203.0.113.77", "2001:db8:1234:5678:9abc:def0:1234:5678"][number % 2],
        "created_at": NOW - (wish["audit"] - number) * 60_000,
    })
insert("connect_session_events", events)

insert("api_tokens", [{
    "id": ordered(NOW - number * DAY), "tenant_id": TENANT, "user_id": admin, "name": names[number % len(names)],
    "token_hash": digest(), "scopes": json.dumps([["view"], ["view", "control", "create_codes"], ["view_audit", "view_metrics"]][number % 3]),
    "created_at": NOW - number * DAY, "expires_at": [None, NOW + 30 * DAY, NOW - DAY][number % 3],
    "last_used_at": None if number % 2 else NOW - number * 3_600_000,
} for number in range(wish["tokens"])])
base.commit()
print(json.dumps({"sessions": len(sessions), "audit": len(events), "users": len(users)}))
