"""FastAPI on uvicorn, on the port that it is given. Says who it is."""

import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

app = FastAPI()


@app.api_route("/{path:path}", methods=["GET", "POST"])
async def answer(request: Request) -> PlainTextResponse:
    await request.body()
    return PlainTextResponse("uvicorn says so")


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
