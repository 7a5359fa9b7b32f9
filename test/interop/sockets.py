"""WebSockets in Python: services that print their port and end with whoever started them, and a client.

usage: sockets.py websockets | uvicorn
       sockets.py client URL TOKEN
"""

import asyncio
import os
import socket
import sys
import threading
import time


def listener() -> socket.socket:
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound


async def serve_websockets() -> None:
    from websockets.asyncio.server import serve

    async def echo(connection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, sock=(bound := listener()), max_size=2**26) as server:
        print(bound.getsockname()[1], flush=True)
        await server.serve_forever()


def serve_uvicorn() -> None:
    import uvicorn
    from fastapi import FastAPI, WebSocket, WebSocketDisconnect

    app = FastAPI()

    @app.websocket("/room")
    async def room(connection: WebSocket) -> None:
        await connection.accept()
        try:
            while True:
                message = await connection.receive()
                if message.get("text") is not None:
                    await connection.send_text(message["text"])
                elif message.get("bytes") is not None:
                    await connection.send_bytes(message["bytes"])
                else:
                    return
        except WebSocketDisconnect:
            return

    bound = listener()
    print(bound.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", ws_max_size=2**26)).run(sockets=[bound])


async def client(url: str, token: str) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    try:
        async with connect(url):
            raise AssertionError("let in without a token")
    except InvalidStatus as refusal:
        assert refusal.response.status_code == 401, refusal
        assert b'"missing_token"' in refusal.response.body, refusal.response.body

    headers = {"Authorization": f"Bearer {token}"}
    async with connect(url, additional_headers=headers, max_size=2**26) as connection:
        extensions = connection.response.headers.get("Sec-WebSocket-Extensions", "")
        assert "permessage-deflate" in extensions, extensions
        await connection.send("grüße")
        assert await connection.recv() == "grüße"
        large = os.urandom(2**24)
        await connection.send(large)
        assert await connection.recv() == large
        # In pieces, with a ping between them.
        pieces = ["one ", "two ", "three"]

        async def fragments():
            for piece in pieces:
                yield piece
                await connection.ping()

        await connection.send(fragments())
        assert await connection.recv() == "one two three"
        await (await connection.ping(b"there?"))
    assert connection.close_code == 1000, connection.close_code

    async with connect(url, subprotocols=[f"bearer.{token}"]) as connection:
        await connection.send("by subprotocol")
        assert await connection.recv() == "by subprotocol"

    async with connect(url, additional_headers=headers) as connection:
        print("open", flush=True)
        await connection.wait_closed()
        print(connection.close_code, connection.close_reason, flush=True)


def end_with_parent() -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
if sys.argv[1] == "client":
    asyncio.run(client(*sys.argv[2:4]))
elif sys.argv[1] == "websockets":
    asyncio.run(serve_websockets())
else:
    serve_uvicorn()
