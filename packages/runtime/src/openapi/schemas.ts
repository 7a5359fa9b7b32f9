import { QUOTA_PERIODS } from "@aigw/core/quotas";
import { openAiType, PROBLEM_CODES, PROBLEMS } from "../http-errors.ts";
import { TOKEN_ERROR_CODES } from "../login/credentials.ts";
import type { JsonObject } from "./json.ts";

const errorTypes = [...new Set(PROBLEM_CODES.map((code) => openAiType(PROBLEMS[code].status)))];

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
  Health: object({ status: { const: "ok" } }),
  Readiness: object({ status: { enum: ["ready", "not ready"] } }),
};
