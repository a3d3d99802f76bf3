#!/usr/bin/env python3
"""A Synapse on loopback to try the packages on, with a bot's account, an operator and a room.

    homeserver.py DIR make [PORT]   sets it up, starts it, and writes DIR/bot/: a configuration and secrets
    homeserver.py DIR start|stop    starts and stops it
    homeserver.py DIR joined        waits until the bot is in the room
    homeserver.py DIR ask COMMAND   says it in the room as the operator, prints what the bot answers
    homeserver.py DIR rotate        logs the admin token out and writes another to DIR/bot/admin-token
    homeserver.py DIR devices       prints how many devices the bot's account has

Run it with the Python of an environment that has Synapse. The room is not encrypted, for this has no
client that encrypts: the tests of the repository hold what is encrypted.
"""

import hashlib
import hmac
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

SERVER = "packages.test"
PATIENCE = 60
BOT, OPERATOR, KEEPER = (f"@{name}:{SERVER}" for name in ("synod", "ann", "keeper"))


class Homeserver:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).absolute()
        self.kept = self.folder / "kept.json"
        self.known = json.loads(self.kept.read_text()) if self.kept.exists() else {}

    def keep(self, **known):
        self.known |= known
        self.kept.write_text(json.dumps(self.known))

    def call(self, method, path, body=None, token=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.known['port']}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def start(self):
        log = open(self.folder / "homeserver.log", "ab")
        command = [sys.executable, "-m", "synapse.app.homeserver", "-c", "homeserver.yaml"]
        process = subprocess.Popen(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )
        self.keep(pid=process.pid)
        def healthy():
            if process.poll() is not None:
                sys.exit(f"Synapse ended; see {self.folder}/homeserver.log")
            try:
                url = f"http://127.0.0.1:{self.known['port']}/health"
                return urllib.request.urlopen(url, timeout=5).status == 200
            except OSError:
                return False
        wait("Synapse", healthy)

    def stop(self):
        pid = self.known.get("pid")
        if pid is None:
            return
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        def gone():
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
            return not pathlib.Path(f"/proc/{pid}").exists()
        wait("the end of Synapse", gone)

    def register(self, name, password, admin):
        nonce = self.call("GET", "/_synapse/admin/v1/register")["nonce"]
        words = [nonce, name, password, "admin" if admin else "notadmin"]
        mac = hmac.new(self.known["secret"].encode(), "\0".join(words).encode(), hashlib.sha1)
        body = dict(nonce=nonce, username=name, password=password, admin=admin, mac=mac.hexdigest())
        self.call("POST", "/_synapse/admin/v1/register", body)

    def log_in(self, name):
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": name},
            "password": self.known["password"],
        }
        return self.call("POST", "/_matrix/client/v3/login", body)["access_token"]

    def make(self, port):
        self.folder.mkdir(parents=True)
        self.keep(port=port, secret=secrets.token_hex(16), password=secrets.token_hex(16))
        limits = "".join(
            f"{name}: {{per_second: 10000, burst_count: 10000}}\n"
            for name in ("rc_message", "rc_registration", "rc_room_creation")
        )
        logins = ("address", "account", "failed_attempts")
        limits += "rc_login:\n" + "".join(
            f"  {name}: {{per_second: 10000, burst_count: 10000}}\n" for name in logins
        )
        (self.folder / "homeserver.yaml").write_text(f"""server_name: {SERVER}
pid_file: {self.folder}/homeserver.pid
signing_key_path: {self.folder}/signing.key
media_store_path: {self.folder}/media
database: {{name: sqlite3, args: {{database: {self.folder}/homeserver.db}}}}
listeners:
  - {{port: {port}, bind_addresses: [127.0.0.1], type: http, tls: false, resources: [{{names: [client, media]}}]}}
registration_shared_secret: {self.known["secret"]}
macaroon_secret_key: {self.known["secret"]}
form_secret: {self.known["secret"]}
report_stats: false
trusted_key_servers: []
suppress_key_server_warning: true
federation_domain_whitelist: []
bcrypt_rounds: 4
presence: {{enabled: false}}
{limits}""")
        subprocess.run(
            [sys.executable, "-m", "synapse.app.homeserver", "-c", "homeserver.yaml", "--generate-keys"],
            cwd=self.folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self.start()
        for name, admin in (("synod", False), ("ann", False), ("keeper", True)):
            self.register(name, self.known["password"], admin)
        ann = self.log_in("ann")
        room = self.call("POST", "/_matrix/client/v3/createRoom", {
            "preset": "private_chat",
            "invite": [BOT],
            "power_level_content_override": {"users": {BOT: 50}},
        }, ann)["room_id"]
        self.keep(ann=ann, room=room, admin=self.log_in("keeper"))
        self.write_bot()

    def write_bot(self):
        folder = self.folder / "bot"
        folder.mkdir(exist_ok=True)
        for name, secret in (("admin-token", self.known["admin"]), ("password", self.known["password"])):
            file = folder / name
            file.touch(0o600)
            file.write_text(secret + "\n")
        (folder / "synod.yaml").write_text(f"""read_only: false
homeserver:
  url: http://127.0.0.1:{self.known["port"]}
  admin_token: {{ credential: secrets_admin-token }}
bot:
  user_id: "{BOT}"
  password: {{ credential: secrets_password }}
state: /var/lib/synod
rooms: ["{self.known["room"]}"]
encryption: optional
operators:
  - {{ user_id: "{OPERATOR}", role: admin }}
""")

    def rotate(self):
        self.call("POST", "/_matrix/client/v3/logout", {}, self.known["admin"])
        self.keep(admin=self.log_in("keeper"))
        self.write_bot()

    def room(self, rest):
        return f"/_matrix/client/v3/rooms/{urllib.parse.quote(self.known['room'])}/{rest}"

    def joined(self):
        def is_in():
            return BOT in self.call("GET", self.room("joined_members"), token=self.known["ann"])["joined"]
        wait("the bot in the room", is_in)

    def ask(self, command):
        body = {"msgtype": "m.text", "body": command}
        path = self.room(f"send/m.room.message/{secrets.token_hex(8)}")
        event = self.call("PUT", path, body, self.known["ann"])["event_id"]
        answer = {}
        def answered():
            messages = self.call("GET", self.room("messages?dir=b&limit=50"), token=self.known["ann"])
            for message in messages["chunk"]:
                content = message["content"]
                reply = content.get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id")
                if message["sender"] == BOT and reply == event:
                    answer["body"] = content["body"]
                    return True
            return False
        wait(f"an answer to {command}", answered)
        print(answer["body"])

    def devices(self):
        path = f"/_synapse/admin/v2/users/{urllib.parse.quote(BOT)}/devices"
        print(self.call("GET", path, token=self.known["admin"])["total"])


def wait(what, is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            sys.exit(f"waited for {what} for {PATIENCE} s")
        time.sleep(0.1)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder, verb, *rest = sys.argv[1:]
    homeserver = Homeserver(folder)
    if verb == "make":
        homeserver.make(int(rest[0]) if rest else free_port())
    elif verb in ("start", "stop", "joined", "rotate", "devices"):
        getattr(homeserver, verb)()
    elif verb == "ask":
        homeserver.ask(" ".join(rest))
    else:
        sys.exit(__doc__)


main()
