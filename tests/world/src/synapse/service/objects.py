"""An authentication service as far as Synod and Synapse ask one.

Its arguments: PORT DATABASE HOMESERVER SERVER_NAME SECRET

It is not the Matrix Authentication Service and shares no code with it. It answers those operations of
its admin API that Synod uses, in the form that its documentation names (1.22); it gives out tokens for
that API, lets Synapse introspect tokens, and tells Synapse of changes as that does: some at once, most
by a job, a moment later. It begins with the accounts and sessions that are in the database of the
homeserver, but for those of application services. What is below `/test/` is for tests alone.
"""

import base64
import http.server
import json
import queue
import re
import secrets
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

PORT, DATABASE, HOMESERVER, SERVER_NAME, SECRET = sys.argv[1:]
CLIENT = ("01JD0PSYN0D0000000000000B0", "the-secret-of-the-client")
API = "/api/admin/v1"

# What each kind of object has at least, by the OpenAPI description of the service.
REQUIRED = {
    "user": {"username", "created_at", "admin", "legacy_guest"},
    "user-email": {"created_at", "user_id", "email"},
    "user-session": {"created_at", "user_id"},
    "oauth2-session": {"created_at", "client_id", "scope"},
    "compat-session": {"created_at", "user_id"},
    "personal-session": {"created_at", "actor_user_id", "human_name", "scope"},
    "user-registration_token": {"token", "valid", "times_used", "created_at"},
    "upstream-oauth-link": {"created_at", "provider_id", "subject"},
}

settings = {
    "admin_clients": [CLIENT[0]],
    "expires_in": 300,
    "server_name": SERVER_NAME,
    "passwords": True,
    "answers": {},
}
lock = threading.RLock()
objects = {kind: {} for kind in REQUIRED}
sessions = {}
tokens = {}
passwords = {}
requests = []
jobs = queue.Queue()
flowing = threading.Event()
flowing.set()


class Refused(Exception):
    """An answer that is not success."""


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def ulid():
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    ulid.last += 1
    number, text = ulid.last, ""
    for _ in range(26):
        number, digit = divmod(number, 32)
        text = digits[digit] + text
    return text


ulid.last = int(time.time() * 1000) << 80


def make(kind, **attributes):
    with lock:
        id = ulid()
        objects[kind][id] = attributes
        return id


def seed():
    with sqlite3.connect(DATABASE) as database:
        users = database.execute("SELECT name, admin FROM users WHERE appservice_id IS NULL")
        for name, admin in users:
            add_user(name[1:].split(":")[0], bool(admin))
        query = """
            SELECT token, user_id, device_id FROM access_tokens
            JOIN users ON users.name = access_tokens.user_id WHERE appservice_id IS NULL
        """
        for token, name, device in database.execute(query):
            localpart = name[1:].split(":")[0]
            id, user = find_user(localpart)
            session = make("compat-session", created_at=now(), user_id=id, device_id=device)
            scope = "urn:matrix:client:api:*" + (" urn:synapse:admin:*" if user["admin"] else "")
            sessions[token] = ("compat-session", session, localpart, device, scope)


def add_user(localpart, admin=False):
    return make(
        "user",
        username=localpart,
        created_at=now(),
        locked_at=None,
        deactivated_at=None,
        admin=admin,
        legacy_guest=False,
    )


def find_user(localpart):
    for id, user in objects["user"].items():
        if user["username"] == localpart:
            return id, user
    raise Refused(404, "User not found")


def the(kind, id):
    if id not in objects[kind]:
        raise Refused(404, f"{kind} not found")
    return objects[kind][id]


def tell(path, body):
    """Tells Synapse something, as the service does."""
    request = urllib.request.Request(
        f"{HOMESERVER}/_synapse/mas/{path}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer.read()
    except urllib.error.URLError as error:
        raise Refused(500, f"the homeserver failed: {error}") from error


def later(path, body):
    jobs.put((path, body))


def work():
    while True:
        path, body = jobs.get()
        flowing.wait()
        try:
            tell(path, body)
        except Exception as error:
            print("a job failed:", path, error, flush=True)
        finally:
            jobs.task_done()


# ---- What is answered.


def shown(kind, id):
    attributes = objects[kind][id]
    missing = REQUIRED[kind] - {key for key, value in attributes.items() if value is not None}
    assert not missing, f"{kind} without {missing}"
    link = f"{API}/{PATHS[kind]}/{id}"
    return {"type": kind, "id": id, "attributes": attributes, "links": {"self": link}}


PATHS = {
    "user": "users",
    "user-email": "user-emails",
    "user-session": "user-sessions",
    "oauth2-session": "oauth2-sessions",
    "compat-session": "compat-sessions",
    "personal-session": "personal-sessions",
    "user-registration_token": "user-registration-tokens",
    "upstream-oauth-link": "upstream-oauth-links",
}
KINDS = {path: kind for kind, path in PATHS.items()}


def single(kind, id, status=200, **more):
    data = shown(kind, id)
    data["attributes"] = {**data["attributes"], **more}
    return status, {"data": data, "links": {"self": data["links"]["self"]}}


def listed(kind, query):
    first = int(query.pop("page[first]", 10))
    after = query.pop("page[after]", "")
    query.pop("count", None)
    fits = [id for id in sorted(objects[kind]) if all(matches(kind, id, *one) for one in query.items())]
    page = [id for id in fits if id > after]
    data = [{**shown(kind, id), "meta": {"page": {"cursor": id}}} for id in page[:first]]
    links = {"self": f"{API}/{PATHS[kind]}"}
    if len(page) > first:
        following = {**query, "page[after]": page[first - 1], "page[first]": first}
        links["next"] = f"{API}/{PATHS[kind]}?{urllib.parse.urlencode(following)}"
    return 200, {"meta": {"count": len(fits)}, "data": data, "links": links}


def matches(kind, id, name, value):
    attributes = objects[kind][id]
    name = re.fullmatch(r"filter\[(.*)\]", name)[1]
    if name == "status":
        ended = attributes.get("finished_at") or attributes.get("revoked_at")
        return (ended is None) == (value == "active")
    if name in ("user", "actor_user"):
        the("user", value)
        return attributes.get("actor_user_id" if name == "actor_user" else "user_id") == value
    if name in ("email", "provider", "subject"):
        return attributes["provider_id" if name == "provider" else name] == value
    if name in ("valid", "used", "revoked", "expired"):
        flags = {
            "valid": attributes.get("valid"),
            "used": attributes.get("times_used", 0) > 0,
            "revoked": attributes.get("revoked_at") is not None,
            "expired": False,
        }
        return flags[name] == (value == "true")
    raise Refused(400, f"unknown filter {name}")
