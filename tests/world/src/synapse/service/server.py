"""What listens, and what tests set and see; follows operations.py."""


# ---- What tests set and see.


def test(path, body):
    if path == "set":
        settings.update(body)
    elif path == "forget-tokens":
        tokens.clear()
    elif path == "hold":
        flowing.clear()
    elif path == "flow":
        flowing.set()
    elif path == "idle":
        pass
    elif path == "make":
        kind = body.pop("kind")
        return 200, {"id": make(kind, **body)}
    return 200, {
        "requests": requests,
        "passwords": passwords,
        "users": {user["username"]: {**user, "id": id} for id, user in objects["user"].items()},
        "objects": objects,
    }


class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.serve("GET")

    def do_POST(self):
        self.serve("POST")

    def do_PUT(self):
        self.serve("PUT")

    def do_DELETE(self):
        self.serve("DELETE")

    def serve(self, method):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        try:
            if path == "/.well-known/openid-configuration":
                issuer = f"http://127.0.0.1:{PORT}/"
                answer = 200, {"issuer": issuer, "account_management_uri": f"{issuer}account/"}
            elif path == "/oauth2/introspect":
                answer = self.introspect(urllib.parse.parse_qs(body))
            elif path == "/oauth2/token":
                answer = self.token(urllib.parse.parse_qs(body))
            elif path.startswith("/test/"):
                if path == "/test/idle":
                    jobs.join()
                with lock:
                    answer = test(path[6:], json.loads(body or "null"))
            elif path.startswith(API + "/"):
                parts = [urllib.parse.unquote(part) for part in url.path[len(API) + 1 :].split("/")]
                query = dict(urllib.parse.parse_qsl(url.query))
                answer = self.administer(method, parts, query, body)
            else:
                raise Refused(404, None)
        except Refused as refused:
            status, title = refused.args
            answer = status, {"errors": [{"title": title}]} if title else None
        self.answer(*answer)

    def introspect(self, form):
        known = sessions.get(form["token"][0])
        user = known and find_user(known[2])[1]
        if not known or user["locked_at"] or user["deactivated_at"]:
            return 200, {"active": False}
        _, _, localpart, device, scope = known
        of = {"username": localpart, "sub": localpart}
        return 200, {"active": True, "scope": scope, **of, **({"device_id": device} if device else {})}

    def token(self, form):
        requests.append("POST /oauth2/token")
        basic = self.headers.get("authorization", "").removeprefix("Basic ")
        if base64.b64decode(basic).decode() != ":".join(CLIENT):
            return 401, {"error": "invalid_client"}
        if form["grant_type"] != ["client_credentials"] or form["scope"] != ["urn:mas:admin"]:
            return 400, {"error": "invalid_scope"}
        if CLIENT[0] not in settings["admin_clients"]:
            return 403, {"error": "invalid_scope", "error_description": "denied by policy"}
        token, lasts = "mat_" + secrets.token_hex(12), settings["expires_in"]
        tokens[token] = time.monotonic() + lasts
        given = {"access_token": token, "token_type": "Bearer", "expires_in": lasts}
        return 200, {**given, "scope": "urn:mas:admin"}

    def administer(self, method, parts, query, body):
        route = f"{method} {'/'.join(parts)}"
        requests.append(route)
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        if tokens.get(token, 0) < time.monotonic():
            raise Refused(401, "Missing or invalid access token")
        for ending, (status, title) in settings["answers"].items():
            if route.endswith(ending):
                raise Refused(status, title)
        with lock:
            if method == "GET":
                return look(parts, query)
            return change(method, parts, json.loads(body) if body else None)

    def answer(self, status, value):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        # It would hold tokens.
        pass


seed()
threading.Thread(target=work, daemon=True).start()
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(PORT)), Service)
print("ready", flush=True)
server.serve_forever()
