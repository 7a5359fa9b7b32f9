"""Stock OAuth 2 clients against a gateway: each fetches a token in its own way, and calls a service with it.

Usage: oauth_clients.py TOKEN_URL CALL_URL USERNAME PASSWORD
Prints a JSON object: each case's name, and "ok" or what went wrong.
"""

import json
import os
import sys
import urllib.request
import warnings

# Plain HTTP on loopback.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
# Authlib would like a successor of httpx better.
warnings.simplefilter("ignore")

import httpx
import httpx_auth
import requests
from authlib.integrations.httpx_client import OAuth2Client
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import BackendApplicationClient, LegacyApplicationClient
from requests_oauthlib import OAuth2Session

TOKEN_URL, CALL_URL, USERNAME, PASSWORD = sys.argv[1:5]
CASES = {}


def case(name):
    return lambda work: CASES.setdefault(name, work)


def called(answer):
    assert answer.status_code == 200, f"the call: {answer.status_code} {answer.text}"


def user(username, password):
    return {"username": username, "password": password}


# requests-oauthlib. Without include_client_id it sends HTTP Basic, also with an empty secret.
@case("requests-oauthlib, password, a client_id of no meaning")
def _(username, password):
    session = OAuth2Session(client=LegacyApplicationClient(client_id="any"))
    session.fetch_token(TOKEN_URL, **user(username, password))
    called(session.get(CALL_URL))


@case("requests-oauthlib, password, an empty client_id")
def _(username, password):
    session = OAuth2Session(client=LegacyApplicationClient(client_id=""))
    session.fetch_token(TOKEN_URL, **user(username, password), auth=("", ""))
    called(session.get(CALL_URL))


@case("requests-oauthlib, password, client_id in the body")
def _(username, password):
    session = OAuth2Session(client=LegacyApplicationClient(client_id="any"))
    session.fetch_token(TOKEN_URL, **user(username, password), include_client_id=True)
    called(session.get(CALL_URL))


@case("requests-oauthlib, client_credentials")
def _(username, password):
    session = OAuth2Session(client=BackendApplicationClient(client_id=username))
    session.fetch_token(TOKEN_URL, client_id=username, client_secret=password)
    called(session.get(CALL_URL))


@case("requests-oauthlib, client_credentials, in the body")
def _(username, password):
    session = OAuth2Session(client=BackendApplicationClient(client_id=username))
    session.fetch_token(TOKEN_URL, client_secret=password, include_client_id=True)
    called(session.get(CALL_URL))


@case("requests-oauthlib, client_credentials, Basic and client_id in the body")
def _(username, password):
    session = OAuth2Session(client=BackendApplicationClient(client_id=username))
    # As requests takes them in bytes: UTF-8 in place of its own ISO-8859-1.
    auth = requests.auth.HTTPBasicAuth(username.encode(), password.encode())
    session.fetch_token(TOKEN_URL, auth=auth, include_client_id=True)
    called(session.get(CALL_URL))


# oauthlib by itself makes bodies and reads answers.
def by_oauthlib(client, body):
    request = urllib.request.Request(TOKEN_URL, data=body.encode("ascii"))
    request.add_header("Content-Type", "application/x-www-form-urlencoded")
    with urllib.request.urlopen(request, timeout=20) as answer:
        client.parse_request_body_response(answer.read().decode())
    url, headers, _ = client.add_token(CALL_URL)
    called(requests.get(url, headers=headers, timeout=20))


@case("oauthlib, password")
def _(username, password):
    client = LegacyApplicationClient(client_id="any")
    by_oauthlib(client, client.prepare_request_body(**user(username, password), include_client_id=True))


@case("oauthlib, password, scope")
def _(username, password):
    client = LegacyApplicationClient(client_id="")
    by_oauthlib(client, client.prepare_request_body(**user(username, password), scope=["a", "b"]))


@case("oauthlib, client_credentials")
def _(username, password):
    client = BackendApplicationClient(client_id=username)
    by_oauthlib(client, client.prepare_request_body(include_client_id=True, client_secret=password))


# Authlib, over requests and over httpx.
for over, session_of in {"requests": AuthlibSession, "httpx": OAuth2Client}.items():
    for method in ("client_secret_basic", "client_secret_post"):

        @case(f"Authlib over {over}, client_credentials, {method}")
        def _(username, password, session_of=session_of, method=method):
            with session_of(username, password, token_endpoint_auth_method=method) as session:
                session.fetch_token(TOKEN_URL, grant_type="client_credentials")
                called(session.get(CALL_URL))

    for method in ("client_secret_basic", "client_secret_post", "none"):
        # Over httpx it cannot add to a form that has characters beyond ASCII: a fault of its own.
        if over == "httpx" and method != "client_secret_basic" and not PASSWORD.isascii():
            continue
        # Without a client at all it sends client_id=None.
        for client in (("", ""), ("any", ""), *([()] if method == "none" else [])):

            @case(f"Authlib over {over}, password, {method}, client {client}")
            def _(username, password, session_of=session_of, method=method, client=client):
                with session_of(*client, token_endpoint_auth_method=method) as session:
                    session.fetch_token(TOKEN_URL, grant_type="password", **user(username, password))
                    called(session.get(CALL_URL))


# httpx-auth.
@case("httpx-auth, password")
def _(username, password):
    auth = httpx_auth.OAuth2ResourceOwnerPasswordCredentials(TOKEN_URL, username, password)
    called(httpx.get(CALL_URL, auth=auth))


@case("httpx-auth, password, a client_id of no meaning")
def _(username, password):
    client = httpx.Client()
    auth = httpx_auth.OAuth2ResourceOwnerPasswordCredentials(TOKEN_URL, username, password, client_id="any", client=client)
    called(httpx.get(CALL_URL, auth=auth))


@case("httpx-auth, client_credentials")
def _(username, password):
    auth = httpx_auth.OAuth2ClientCredentials(TOKEN_URL, client_id=username, client_secret=password)
    called(httpx.get(CALL_URL, auth=auth))


# No OAuth library at all.
@case("requests, Basic without a body")
def _(username, password):
    token = requests.post(TOKEN_URL, auth=(username, password), timeout=20).json()["access_token"]
    called(requests.get(CALL_URL, headers={"Authorization": f"Bearer {token}"}, timeout=20))


@case("httpx, JSON with members that are null")
def _(username, password):
    body = {**user(username, password), "grant_type": None, "scope": None, "client_id": None, "client_secret": None}
    token = httpx.post(TOKEN_URL, json=body).json()["access_token"]
    called(httpx.get(CALL_URL, headers={"Authorization": f"Bearer {token}"}))


def outcome(work):
    # httpx-auth keeps tokens in a cache of the whole process, by the token's address and the form.
    httpx_auth.OAuth2.token_cache.clear()
    try:
        work(USERNAME, PASSWORD)
        return "ok"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


print(json.dumps({name: outcome(work) for name, work in CASES.items()}))
