"""The operations of the admin API; follows objects.py."""


# ---- Accounts.


def by_username(username):
    id, _ = find_user(username)
    return single("user", id)


def create_user(body):
    name = body["username"]
    if not re.fullmatch(r"[a-z0-9._=/+-]+", name):
        raise Refused(400, "Username is not valid")
    if any(user["username"] == name for user in objects["user"].values()):
        raise Refused(409, "User already exists")
    profile = {"set_displayname": body["displayname"]} if body.get("displayname") else {}
    tell("provision_user", {"localpart": name, **profile})
    return single("user", add_user(name), 201)


def lock_user(id, body=None):
    user = the("user", id)
    user["locked_at"] = user["locked_at"] or now()
    later("provision_user", {"localpart": user["username"], "locked": True})
    return single("user", id)


def unlock_user(id, body=None):
    user = the("user", id)
    user["locked_at"] = None
    later("provision_user", {"localpart": user["username"], "locked": False})
    return single("user", id)


def deactivate_user(id, body=None):
    user = the("user", id)
    user["deactivated_at"] = user["deactivated_at"] or now()
    for kind in ("user-session", "oauth2-session", "compat-session"):
        for session in objects[kind].values():
            if session.get("user_id") == id:
                session["finished_at"] = session.get("finished_at") or now()
    for session in objects["personal-session"].values():
        if session["actor_user_id"] == id:
            session["revoked_at"] = session.get("revoked_at") or now()
    for email in [key for key, one in objects["user-email"].items() if one["user_id"] == id]:
        del objects["user-email"][email]
    erase = not (body or {}).get("skip_erase", False)
    later("delete_user", {"localpart": user["username"], "erase": erase})
    return single("user", id)


def reactivate_user(id, body=None):
    user = the("user", id)
    tell("reactivate_user", {"localpart": user["username"]})
    user["deactivated_at"] = None
    return single("user", id)


def set_admin(id, body):
    the("user", id)["admin"] = body["admin"]
    return single("user", id)


def set_password(id, body):
    user = the("user", id)
    if not settings["passwords"]:
        raise Refused(403, "Password auth is disabled")
    if len(body["password"]) < 8 and not body.get("skip_password_check"):
        raise Refused(400, "Password is too weak")
    passwords[user["username"]] = body["password"]
    return 204, None


# ---- Sessions.


def finish(kind, id):
    session = the(kind, id)
    if session.get("finished_at"):
        raise Refused(400, "Session is already finished")
    session["finished_at"] = now()
    end(id)
    return single(kind, id)


def revoke(id):
    session = the("personal-session", id)
    if session.get("revoked_at"):
        raise Refused(409, "Session is already revoked")
    session["revoked_at"] = now()
    end(id)
    return single("personal-session", id)


def end(id):
    for token in [token for token, one in sessions.items() if one[1] == id]:
        _, _, localpart, device, _ = sessions.pop(token)
        if device:
            later("delete_device", {"localpart": localpart, "device_id": device})


def personal_session(body):
    user = the("user", body["actor_user_id"])
    if user["deactivated_at"]:
        raise Refused(410, "User is deactivated")
    lasts = body.get("expires_in")
    id = make(
        "personal-session",
        created_at=now(),
        actor_user_id=body["actor_user_id"],
        human_name=body["human_name"],
        scope=body["scope"],
        expires_at=None if lasts is None else f"in {lasts} s",
        revoked_at=None,
    )
    token = "mpt_" + secrets.token_hex(12)
    sessions[token] = ("personal-session", id, user["username"], None, body["scope"])
    return single("personal-session", id, 201, access_token=token)


# ---- Registration tokens, addresses, links.


def registration_token(body):
    token = body.get("token") or secrets.token_urlsafe(9)
    if any(one["token"] == token for one in objects["user-registration_token"].values()):
        raise Refused(409, "Token already exists")
    id = make(
        "user-registration_token",
        token=token,
        valid=True,
        usage_limit=body.get("usage_limit"),
        times_used=0,
        created_at=now(),
        last_used_at=None,
        expires_at=body.get("expires_at"),
        revoked_at=None,
    )
    return single("user-registration_token", id, 201)


def change_token(id, body):
    token = the("user-registration_token", id)
    token.update({key: body[key] for key in ("usage_limit", "expires_at") if key in body})
    return single("user-registration_token", id)


def revoke_token(id, revoked):
    token = the("user-registration_token", id)
    if (token["revoked_at"] is not None) == revoked:
        raise Refused(400, "Token is in that state already")
    token["revoked_at"] = now() if revoked else None
    token["valid"] = not revoked
    return single("user-registration_token", id)


def add_email(body):
    the("user", body["user_id"])
    if "@" not in body["email"]:
        raise Refused(400, "Email is not valid")
    if any(one["email"] == body["email"] for one in objects["user-email"].values()):
        raise Refused(409, "Email is already in use")
    id = make("user-email", created_at=now(), **body)
    return single("user-email", id, 201)


def remove(kind, id):
    the(kind, id)
    del objects[kind][id]
    return 204, None


def change(method, path, body):
    """The operations that change something."""
    if method == "POST" and path == ["users"]:
        return create_user(body)
    if method == "POST" and path == ["user-registration-tokens"]:
        return registration_token(body)
    if method == "POST" and path == ["user-emails"]:
        return add_email(body)
    if method == "POST" and path == ["personal-sessions"]:
        return personal_session(body)
    of_users = {
        "lock": lock_user,
        "unlock": unlock_user,
        "deactivate": deactivate_user,
        "reactivate": reactivate_user,
        "set-admin": set_admin,
        "set-password": set_password,
    }
    match (method, *path):
        case ("POST", "users", id, what) if what in of_users:
            return of_users[what](id, body)
        case ("POST", "user-sessions" | "oauth2-sessions" | "compat-sessions", id, "finish"):
            return finish(KINDS[path[0]], id)
        case ("POST", "personal-sessions", id, "revoke"):
            return revoke(id)
        case ("POST", "user-registration-tokens", id, "revoke" | "unrevoke"):
            return revoke_token(id, path[2] == "revoke")
        case ("PUT", "user-registration-tokens", id):
            return change_token(id, body)
        case ("DELETE", "user-emails" | "upstream-oauth-links", id):
            return remove(KINDS[path[0]], id)
    raise Refused(404, None)


def look(path, query):
    """The operations that look."""
    match path:
        case ["site-config"]:
            return 200, {"server_name": settings["server_name"], "password_login_enabled": True}
        case ["version"]:
            return 200, {"version": "v1.22.0"}
        case ["users", "by-username", username]:
            return by_username(username)
        case [kind] if kind in KINDS:
            return listed(KINDS[kind], query)
        case [kind, id] if kind in KINDS:
            the(KINDS[kind], id)
            return single(KINDS[kind], id)
    raise Refused(404, None)
