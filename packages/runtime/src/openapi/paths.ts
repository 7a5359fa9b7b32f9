import { CLIENT_HEADERS, headers } from "./headers.ts";
import { type JsonObject, ref } from "./json.ts";
import { CALL_RESPONSES, GUARD_RESPONSES, JOB_RESPONSES, SWITCH_RESPONSE, tokenErrors } from "./responses.ts";

const json = (schema: string): JsonObject => ({ "application/json": { schema: ref("schemas", schema) } });
const get = (operation: JsonObject): JsonObject => ({ get: { security: [], ...operation } });
const guarded = (responses: JsonObject): JsonObject => ({ ...GUARD_RESPONSES, ...responses });

const PREFLIGHT =
  "A browser's CORS preflight needs no token. It is answered for the origins that this gateway allows, here and for services; their pages can then read every answer, errors too. For other origins it is a request like any other.";

const TOKEN: JsonObject = {
  post: {
    operationId: "getToken",
    summary: "Get a token",
    description: "Exchanges a username and password for a token. Credentials are given in one way only.",
    security: [{}, { basic: [] }],
    requestBody: {
      description: "At most 8 KiB; empty with HTTP Basic.",
      content: {
        "application/x-www-form-urlencoded": { schema: ref("schemas", "Credentials") },
        "application/json": { schema: ref("schemas", "Credentials") },
      },
    },
    responses: {
      "200": { description: "A token.", headers: headers("Cache-Control", "Pragma"), content: json("Token") },
      ...tokenErrors(),
    },
  },
  options: {
    operationId: "preflightToken",
    summary: "May this page get a token?",
    description: PREFLIGHT,
    security: [],
    responses: guarded({
      "204": {
        description: "It may, and may send the fields it asked for.",
        headers: headers("Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Max-Age"),
      },
    }),
  },
};

const PROOF: JsonObject = get({
  operationId: "getProof",
  summary: "Whether this gateway belongs to a store",
  description:
    "For admins: before a password is sent anywhere, whoever answers there shows that it holds the store's key. The proof is an HMAC of the challenge, the nonce and the public URL, and says nothing to whoever does not hold that key.",
  parameters: [
    {
      name: "challenge",
      in: "query",
      required: true,
      description: "32 bytes at random, in base64url.",
      schema: { type: "string", pattern: "^[A-Za-z0-9_-]{43}$" },
    },
  ],
  responses: guarded({
    "200": { description: "The proof.", headers: headers("Cache-Control"), content: json("Proof") },
  }),
});

const CALL_METHODS = ["get", "put", "post", "delete", "options", "head", "patch"] as const;
const WITHOUT_BODY: readonly string[] = ["get", "head"];

/** OpenAPI has no word for WebSockets but the answer that they begin with. */
const WEBSOCKET: JsonObject = {
  description:
    "With `Connection: Upgrade`, `Upgrade: websocket`, `Sec-WebSocket-Key` and `Sec-WebSocket-Version` in HTTP/1.1 it is the handshake of a WebSocket (`wss:`), which counts as one call; messages then pass both ways as they are. A browser's page cannot send Authorization with it, and offers its token as the subprotocol `bearer.<token>`, which the service does not see.",
  parameters: [
    {
      name: "Sec-WebSocket-Protocol",
      in: "header",
      description:
        "Of a handshake: the subprotocols that the client offers, and `bearer.<token>` where there is no Authorization.",
      schema: { type: "string" },
    },
  ],
  responses: { "101": SWITCH_RESPONSE, ...CALL_RESPONSES },
};

const call = (suffix: string, parameters: readonly string[]): JsonObject => ({
  description:
    "Everything behind the service's name, with slashes and the query, goes to the service byte for byte. With `Prefer: respond-async`, at a service whose calls may become jobs, the answer is 202 with a job and its `Location`; `callback=\"https://…\"` beside it names who is told of its end. `//`, dot segments, `%2f`, `%5c` and `\\` in the path are refused. A service's redirects to itself lead here again. CORS preflights are answered as those of the token endpoint.",
  parameters: parameters.map((name) => ref("parameters", name)),
  ...Object.fromEntries(
    CALL_METHODS.map((method) => [
      method,
      {
        operationId: `${method}Service${suffix}`,
        summary: "Call a service",
        ...(WITHOUT_BODY.includes(method) ? {} : { requestBody: { content: { "*/*": {} } } }),
        responses: CALL_RESPONSES,
        ...(method === "get" && WEBSOCKET),
      },
    ]),
  ),
});

const jobAnswer = (schema: string, description: string): JsonObject => ({
  ...JOB_RESPONSES,
  "200": { description, headers: headers(...CLIENT_HEADERS, "Cache-Control"), content: json(schema) },
});

const JOB: JsonObject = {
  parameters: [ref("parameters", "job")],
  get: { operationId: "getJob", summary: "How a job stands", responses: jobAnswer("Job", "The job.") },
  delete: {
    operationId: "deleteJob",
    summary: "End a job, or delete one that has ended",
    responses: { ...JOB_RESPONSES, "204": { description: "Done.", headers: headers("Cache-Control") } },
  },
};

const JOB_RESULT: JsonObject = {
  parameters: [ref("parameters", "job")],
  get: {
    operationId: "getJobResult",
    summary: "A job's result",
    description:
      "The answer as the service gave it: status, fields, content; parts of a 200 by `Range`. A job that has failed before its service answered has the gateway's own answer.",
    responses: {
      ...JOB_RESPONSES,
      default: {
        description: "The service's answer, with any status and content.",
        headers: headers(...CLIENT_HEADERS),
        content: { "*/*": {} },
      },
    },
  },
};

const document = (operationId: string, summary: string, content: JsonObject): JsonObject =>
  get({
    operationId,
    summary,
    responses: guarded({
      "200": { description: summary, headers: headers("ETag", "Cache-Control"), content },
      "304": { description: "As the If-None-Match of the request has it.", headers: headers("ETag", "Cache-Control") },
    }),
  });

/** `paths`: every route of the public address but `/`, which only leads browsers to the guide. */
export const PATHS: JsonObject = {
  "/auth/token": TOKEN,
  "/auth/proof": PROOF,
  "/api/{service}": call("", ["service"]),
  "/api/{service}/{path}": call("Path", ["service", "path"]),
  "/jobs/": {
    get: {
      operationId: "listJobs",
      summary: "Your newest 100 jobs",
      responses: jobAnswer("Jobs", "Jobs, the newest first."),
    },
  },
  "/jobs/callback-key": {
    get: {
      operationId: "getCallbackKey",
      summary: "The key that signs call-backs to you",
      responses: jobAnswer("CallbackKey", "It changes with your password."),
    },
  },
  "/jobs/{job}": JOB,
  "/jobs/{job}/result": JOB_RESULT,
  "/health": get({
    operationId: "getHealth",
    summary: "Whether the gateway is alive",
    responses: guarded({ "200": { description: "Alive.", headers: headers(), content: json("Health") } }),
  }),
  "/ready": get({
    operationId: "getReadiness",
    summary: "Whether the gateway can serve",
    responses: guarded({
      "200": { description: "Ready.", headers: headers(), content: json("Readiness") },
      "503": {
        description: "Not ready: it is ending, or its store cannot be read.",
        headers: headers("Retry-After"),
        content: json("Readiness"),
      },
    }),
  }),
  "/guide": document("getGuide", "The client guide as a page.", { "text/html": { schema: { type: "string" } } }),
  "/openapi.json": document("getOpenApi", "This document.", { "application/json": { schema: { type: "object" } } }),
};
