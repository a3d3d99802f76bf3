"""The least that a bot on matrix-nio does for the same answer.

It hears the command, makes the same requests to the Admin API, all at once, and answers with what
they say. It knows no operators, keeps nothing but its keys, and checks nothing. Reads its settings,
a JSON file, and says "ready" when it is in its room.
"""

import asyncio
import json
import pathlib
import sys

import aiohttp
import yarl
from nio import AsyncClient, AsyncClientConfig, RoomMessageText

FILTER = {
    "presence": {"not_types": ["*"]},
    "account_data": {"not_types": ["*"]},
    "room": {
        "account_data": {"not_types": ["*"]},
        "ephemeral": {"not_types": ["*"]},
        "state": {"lazy_load_members": True},
        "timeline": {"limit": 100},
    },
}


def drawn(found):
    lines = []
    for answer in found:
        lines += [f"{key}: {value}" for key, value in answer.items() if value not in (None, [], {})]
    return "\n".join(lines)


async def main(settings):
    homeserver, room = settings["homeserver"], settings["room"]
    config = AsyncClientConfig(encryption_enabled=settings["encrypted"])
    client = AsyncClient(homeserver, settings["user_id"], store_path=".", config=config)
    await client.login(settings["password"])
    token = {"Authorization": "Bearer " + settings["admin_token"]}
    async with aiohttp.ClientSession(headers=token) as admin:

        async def look(path):
            async with admin.get(yarl.URL(homeserver + path, encoded=True)) as answer:
                answer.raise_for_status()
                return await answer.json()

        async def heard(where, event):
            if where.room_id != room or not event.body.startswith("!user details "):
                return
            found = await asyncio.gather(*map(look, settings["looks"]))
            content = {
                "msgtype": "m.notice",
                "body": drawn(found),
                "m.relates_to": {"m.in_reply_to": {"event_id": event.event_id}},
            }
            await client.room_send(
                room, "m.room.message", content, ignore_unverified_devices=True
            )

        if client.should_upload_keys:
            await client.keys_upload()
        await client.join(room)
        await client.sync(timeout=0, sync_filter=FILTER)
        if client.should_query_keys:
            await client.keys_query()
        client.add_event_callback(heard, RoomMessageText)
        print("ready", flush=True)
        await client.sync_forever(timeout=30_000, sync_filter=FILTER)


asyncio.run(main(json.loads(pathlib.Path(sys.argv[1]).read_text())))
