import { JOB_STATES } from "@aigw/core/jobs";
import { QUOTA_PERIODS } from "@aigw/core/quotas";
import { openAiType, PROBLEM_CODES, PROBLEMS } from "../http-errors.ts";
import { TOKEN_ERROR_CODES } from "../login/credentials.ts";
import type { JsonObject } from "./json.ts";

const errorTypes = [...new Set(PROBLEM_CODES.map((code) => openAiType(PROBLEMS[code].status)))];

const TIME = { type: "string", format: "date-time" };

const object = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
  ...more,
});

const pair = (name: string, secret: string): JsonObject => ({
  type: "object",
  required: [name, secret],
  properties: {
    [name]: { type: "string", minLength: 1, description: "The username." },
    [secret]: { type: "string", minLength: 1, format: "password" },
    grant_type: { enum: ["client_credentials", "password"], description: "May be left out." },
  },
});

/** On every problem. */
const PROBLEM_FIELDS = ["type", "title", "status", "detail", "code", "request_id", "error"];

/** `components.schemas`. Closed lists come from the gateway's own tables. */
export const SCHEMAS: JsonObject = {
  Credentials: {
    description: "In one way only; HTTP Basic in place of a body is another.",
    oneOf: [pair("username", "password"), pair("client_id", "client_secret")],
  },
  Token: object({
    access_token: { type: "string", description: "Opaque to clients." },
    token_type: { const: "bearer" },
    expires_in: { type: "integer", minimum: 1, description: "Seconds." },
  }),
  TokenError: object(
    {
      error: { enum: [...TOKEN_ERROR_CODES] },
      error_description: { type: "string", minLength: 1 },
    },
    { description: "RFC 6749 §5.2." },
  ),
  Problem: object(
    {
      type: { type: "string", pattern: "^urn:aigw:problem:[a-z_]+$" },
      title: { type: "string", minLength: 1 },
      status: { type: "integer", minimum: 400, maximum: 599 },
      detail: { type: "string", minLength: 1, description: "For people. Its wording may change." },
      code: { enum: [...PROBLEM_CODES], description: "For programs. The list is closed." },
      request_id: { type: "string", description: "The same as X-Request-ID." },
      error: object({
        message: { type: "string", description: "The same as detail." },
        type: { enum: errorTypes },
        code: { enum: [...PROBLEM_CODES] },
      }),
      quota: object(
        {
          unit: { type: "string", description: "One, or several that are added up: input_tokens+output_tokens." },
          per: { enum: [...QUOTA_PERIODS] },
          limit: { type: "number", minimum: 0 },
          used: { type: "number", minimum: 0 },
          resetsAt: { type: "string", format: "date-time" },
        },
        { description: "Of quota_exceeded: the quota that is used up." },
      ),
    },
    {
      required: PROBLEM_FIELDS,
      description: "RFC 9457, with an `error` member in the form that OpenAI-style SDKs print.",
    },
  ),
  Proof: object({
    nonce: { type: "string", pattern: "^[A-Za-z0-9_-]{22}$", description: "The gateway's own part of it." },
    public_url: { type: "string", description: "Where this gateway says that clients reach it." },
    proof: { type: "string", pattern: "^[A-Za-z0-9_-]{43}$" },
  }),
  Job: object(
    {
      id: { type: "string", pattern: "^j_[0-9a-f]{40}$" },
      state: { enum: JOB_STATES.filter((state) => state !== "receiving") },
      service: { type: "string" },
      method: { type: "string" },
      path: { type: "string", description: "Without the query." },
      request_id: { type: "string" },
      submitted_at: TIME,
      started_at: TIME,
      ended_at: TIME,
      kept_until: { ...TIME, description: "When a job that has ended is gone, with its result." },
      ahead: { type: "integer", minimum: 0, description: "While it waits: how many are begun before it, at most." },
      request_bytes: { type: "integer", minimum: 0 },
      result_bytes: { type: "integer", minimum: 0, description: "Of as much as has come." },
      status: { type: "integer", description: "Of the result." },
      result: { type: "string", description: "The path of the result, when there is one." },
      callback: object(
        {
          origin: { type: "string" },
          tries: { type: "integer", minimum: 0 },
          delivered_at: TIME,
          problem: { type: "string", description: "Of the last try: a status, or why there was none." },
        },
        { required: ["origin", "tries"] },
      ),
    },
    {
      required: [
        "id",
        "state",
        "service",
        "method",
        "path",
        "request_id",
        "submitted_at",
        "request_bytes",
        "result_bytes",
      ],
    },
  ),
  Jobs: object({ jobs: { type: "array", items: { $ref: "#/components/schemas/Job" } } }),
  CallbackKey: object({
    key: { type: "string", pattern: "^whsec_", description: "Verifies call-backs, as Standard Webhooks says." },
  }),
  Health: object({ status: { const: "ok" } }),
  Readiness: object({ status: { enum: ["ready", "not ready"] } }),
};
