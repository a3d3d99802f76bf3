"""Edits the database of a stopped homeserver into states that old and mistreated ones have.

DIRTY.md says of each state why it happens and what is right. Standard input has the ids of what was
made through the API.
"""

import json
import sqlite3
import sys
import time

path, server = sys.argv[1:]
made = json.load(sys.stdin)
rooms = made["rooms"]
DAY = 86_400_000
now = int(time.time() * 1000)
database = sqlite3.connect(path)
do = database.execute


def user(name):
    return f"@{name}:{server}"


def account(name, created=1_600_000_000, guest=0, shown=None):
    do(
        "INSERT INTO users (name, password_hash, creation_ts, admin, is_guest, deactivated,"
        " shadow_banned) VALUES (?, NULL, ?, 0, ?, 0, 0)",
        (user(name), created, guest),
    )
    do(
        "INSERT INTO profiles (user_id, displayname, full_user_id) VALUES (?, ?, ?)",
        (name, shown, user(name)),
    )


def device(name, number, seen):
    do(
        "INSERT INTO devices (user_id, device_id, display_name, last_seen, hidden)"
        " VALUES (?, ?, 'Web', ?, 0)",
        (user(name), number, seen),
    )


# Moments.
do("UPDATE users SET creation_ts = NULL, shadow_banned = NULL WHERE name = ?", (user("old"),))
do("UPDATE users SET creation_ts = 0 WHERE name = ?", (user("zero"),))
do("UPDATE devices SET last_seen = 0 WHERE user_id = ?", (user("zero"),))
do("DELETE FROM user_ips WHERE user_id IN (?, ?)", (user("zero"), user("quiet")))
do("UPDATE devices SET last_seen = ? WHERE user_id = ?", (now - 40 * DAY, user("quiet")))
account("imported", created=1_600_000_000_000)
account("huge", created=2**62)
account("negative", created=-5)
account("future", created=253_402_300_900)
device("future", "FUTURE", 4_000_000_000_000)
device("future", "BEYOND", 4 * 10**15)

# Names.
account("Alice")
account("Caps!~x", shown="a\u202eb\x07c")
account("with space", shown=None)
account("42", guest=1)
do("UPDATE profiles SET displayname = '   ' WHERE full_user_id = ?", (user("blank"),))

# Flags without what belongs to them.
do("UPDATE users SET deactivated = 1 WHERE name IN (?, ?)", (user("hull"), user("shell")))
do("INSERT INTO erased_users VALUES (?)", (user("hull"),))

# Very much.
for number in range(3000):
    device("many", f"D{number:05}", 1_600_000_000_000 + number)

# Rooms.
count = "UPDATE room_stats_current SET joined_members = ?, local_users_in_room = ? WHERE room_id = ?"
do(count, (-1, -1, rooms["negative"]))
do(count, (2**53, 2**53, rooms["absurd"]))
# Somebody is in it, whatever the statistics say.
do(count, (0, 0, rooms["inhabited"]))
do("DELETE FROM room_stats_state WHERE room_id = ?", (rooms["no-state"],))
do("DELETE FROM room_stats_current WHERE room_id = ?", (rooms["no-counts"],))
for table in ("room_stats_state", "room_stats_current"):
    do(f"DELETE FROM {table} WHERE room_id = ?", (rooms["no-statistics"],))
do(
    "DELETE FROM current_state_events WHERE room_id = ? AND type IN ('m.room.create', 'm.room.name')",
    (rooms["no-create"],),
)
do("UPDATE rooms SET room_version = 'org.example.odd' WHERE room_id = ?", (rooms["odd-version"],))
do("UPDATE rooms SET room_version = NULL WHERE room_id = ?", (rooms["no-version"],))
do("DELETE FROM rooms WHERE room_id = ?", (rooms["off-file"],))
do("UPDATE room_stats_state SET topic = ? WHERE room_id = ?", ("t" * 65_536, rooms["loud"]))

# Files.
media = (
    "INSERT INTO local_media_repository (media_id, media_type, media_length, created_ts,"
    " upload_name, user_id) VALUES (?, ?, ?, ?, ?, ?)"
)
do(media, ("ghost", None, None, None, None, user("eve")))
do(media, ("minus", "", -1, 0, "", user("eve")))
do("DELETE FROM local_media_repository WHERE media_id = ?", (made["lost"],))

# Reports and tokens.
for table in ("events", "event_json"):
    do(f"DELETE FROM {table} WHERE event_id = ?", (made["reported"],))
do(
    "INSERT INTO user_reports (id, received_ts, target_user_id, user_id, reason)"
    " VALUES (1, 0, ?, '@somebody:elsewhere.example', '')",
    (user("never-was"),),
)
token = (
    "INSERT INTO registration_tokens (token, uses_allowed, pending, completed, expiry_time)"
    " VALUES (?, ?, ?, ?, ?)"
)
do(token, ("a b/ü?#", -1, -2, -3, 0))
do(token, ("for-ever", 2**53 + 1, 0, 0, 2**62))

# A new homeserver counts everything once more in its own time, and that would clean up.
do("DELETE FROM background_updates WHERE update_name LIKE 'populate_stats%'")

database.commit()
