"""What the checker has to know of this server: credentials of every kind, what
must not be taken away from under it, and that every call comes from an address
of its own, so that rate limits hold as they do for others.

GC_API_FACTS names a JSON file that tests/tests/openapi.rs writes:
url, administrator {username, password}, credentials {name: token}, the
name of the first is "administrator"; sessions, protected (ids), colleague (an id).
"""

import ipaddress
import itertools
import json
import os
import threading
import uuid

import requests
import schemathesis
from requests.adapters import HTTPAdapter

with open(os.environ["GC_API_FACTS"], encoding="utf-8") as file:
    FACTS = json.load(file)

ADDRESSES = itertools.count(int(ipaddress.ip_address("127.64.0.1")))
TURN = itertools.count()
NAMES = itertools.count()
LOCK = threading.Lock()
SESSIONS = itertools.cycle(FACTS["sessions"])
# The administrator comes every second time, the others take turns.
OTHERS = itertools.cycle([token for name, token in FACTS["credentials"].items() if name != "administrator"])


class FromElsewhere(HTTPAdapter):
    """Every call has a connection and a loopback address of its own."""

    def send(self, request, **options):
        with LOCK:
            address = str(ipaddress.ip_address(next(ADDRESSES)))
        self.init_poolmanager(1, 1, source_address=(address, 0))
        return super().send(request, **options)


def log_in():
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", FromElsewhere())
    answer = session.post(FACTS["url"] + "/api/auth/login", json=FACTS["administrator"], timeout=20)
    answer.raise_for_status()
    return answer.json()["token"]


def phase_of(case):
    return case.meta.phase.name.value if case.meta else ""


def is_wanted(case):
    """Whether this case is to be accepted, by its form."""
    return case.meta is not None and case.meta.generation.mode.is_positive


@schemathesis.auth(refresh_interval=None)
class Credentials:
    def get(self, case, context):
        # Logging out is for a login that nobody else uses.
        if case.operation.path == "/api/auth/logout":
            return log_in()
        # What one made, another may not see: in a chain of calls it is one and the same.
        if phase_of(case) == "stateful" or next(TURN) % 2 == 0:
            return FACTS["credentials"]["administrator"]
        return next(OTHERS)

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Ids that exist, where nothing is taken away."""
    operation = context.operation
    if path_parameters and operation.method.upper() != "DELETE" and operation.path.startswith("/api/sessions/{id}"):
        if "id" in path_parameters and next(TURN) % 2 == 0:
            return {**path_parameters, "id": next(SESSIONS)}
    return path_parameters


@schemathesis.hook
def before_call(context, case, kwargs):
    session = kwargs.get("session")
    if session is not None and not isinstance(session.get_adapter("http://"), FromElsewhere):
        session.trust_env = False
        session.mount("http://", FromElsewhere())
    parameters = case.path_parameters or {}
    if case.method.upper() in ("DELETE", "PATCH") and str(parameters.get("id")) in FACTS["protected"]:
        case.path_parameters = {**parameters, "id": str(uuid.UUID(int=0))}
    # Names that nobody has: the examples are taken soon.
    if case.operation.path == "/api/users" and is_wanted(case) and isinstance(case.body, dict) and next(TURN) % 2 == 0:
        case.body = {**case.body, "username": f"user{next(NAMES)}"}
    # Somebody who is there to be invited.
    if case.operation.path == "/api/sessions/{id}/invitations" and is_wanted(case) and case.method.upper() == "POST":
        case.body = {"user_id": FACTS["colleague"]}
    # The right password, now and then: so that what follows it is compared as well.
    if case.operation.path == "/api/auth/login" and is_wanted(case) and next(TURN) % 4 == 0:
        case.body = dict(FACTS["administrator"])


@schemathesis.hook
def after_call(context, case, response):
    """What was answered where: the test looks whether every call was reached."""
    with LOCK, open(os.environ["GC_API_SEEN"], "a", encoding="utf-8") as seen:
        seen.write(f"{case.method.upper()} {case.operation.path} {response.status_code}\n")
