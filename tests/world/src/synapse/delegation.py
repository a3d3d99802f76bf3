"""As much of an authentication service as Synapse asks for: usage: delegation.py PORT DATABASE

It knows the sessions that are in the database of the homeserver when it starts, and no others.
"""

import http.server
import json
import sqlite3
import sys
import urllib.parse

port, database = sys.argv[1:]
QUERY = """
    SELECT token, users.name, device_id, admin FROM access_tokens
    JOIN users ON users.name = access_tokens.user_id
"""
with sqlite3.connect(database) as connection:
    sessions = {token: of for token, *of in connection.execute(QUERY)}


def introspected(token):
    if token not in sessions:
        return {"active": False}
    user, device, admin = sessions[token]
    scope = "urn:matrix:client:api:*" + (" urn:synapse:admin:*" if admin else "")
    username = user[1:].split(":")[0]
    return {
        "active": True,
        "scope": scope,
        "username": username,
        "sub": username,
        "device_id": device,
    }


class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/.well-known/openid-configuration":
            return self.send_error(404)
        issuer = f"http://127.0.0.1:{port}/"
        self.answer({"issuer": issuer, "account_management_uri": f"{issuer}account/"})

    def do_POST(self):
        if self.path != "/oauth2/introspect":
            return self.send_error(404)
        length = int(self.headers["content-length"])
        form = urllib.parse.parse_qs(self.rfile.read(length).decode())
        self.answer(introspected(form["token"][0]))

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        # It would hold tokens.
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Service)
print("ready", flush=True)
server.serve_forever()
