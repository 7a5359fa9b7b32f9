"""Flask, for gunicorn. Says who it is."""

from flask import Flask, request

app = Flask(__name__)


@app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
@app.route("/<path:path>", methods=["GET", "POST"])
def answer(path: str) -> str:
    request.get_data()
    return "gunicorn says so"
