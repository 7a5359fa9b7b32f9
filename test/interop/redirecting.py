"""A service that redirects as its framework does. Prints its port, and ends with whoever started it.

usage: redirecting.py fastapi | fastapi-root-path | flask | flask-proxyfix | flask-absolute
"""

import os
import socket
import sys
import threading
import time


def fastapi(root_path: str) -> None:
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.responses import RedirectResponse

    app = FastAPI(root_path=root_path)

    @app.get("/items/")
    def items() -> str:
        return "the items"

    @app.get("/start")
    def start(request: Request) -> RedirectResponse:
        return RedirectResponse(request.url_for("items"), headers={"Refresh": f"3; url={request.url_for('items')}"})

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    # Uvicorn's defaults, as `uvicorn app:app` has them: X-Forwarded-Proto is believed when it comes from 127.0.0.1.
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def flask(proxy_fix: bool, absolute: bool) -> None:
    from flask import Flask, Response, redirect, session, url_for
    from werkzeug.middleware.proxy_fix import ProxyFix
    from werkzeug.serving import WSGIRequestHandler, make_server

    app = Flask(__name__)
    app.secret_key = "not one"
    if proxy_fix:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
    if absolute:
        # As every Flask before 2.1.
        app.response_class = type("Absolute", (Response,), {"autocorrect_location_header": True})

    @app.get("/jobs/<int:number>")
    def job(number: int) -> str:
        return f"job {number}"

    @app.post("/jobs")
    def add() -> Response:
        session["last"] = 7
        answer = redirect(url_for("job", number=7), code=303)
        answer.set_cookie("hosted", "1", domain="127.0.0.1", path="/jobs")
        return answer

    @app.get("/items/")
    def items() -> str:
        return "the items"

    class Silent(WSGIRequestHandler):
        def log(self, *_: object) -> None:
            pass

    server = make_server("127.0.0.1", 0, app, request_handler=Silent)
    print(server.port, flush=True)
    server.serve_forever()


def end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


threading.Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
kind = sys.argv[1]
if kind.startswith("fastapi"):
    fastapi("/api/app-fastapi-root-path" if kind == "fastapi-root-path" else "")
else:
    flask(kind == "flask-proxyfix", kind == "flask-absolute")
