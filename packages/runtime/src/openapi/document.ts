import type { GuideFacts, GuideService } from "@aigw/core/onboarding";
import { HEADERS } from "./headers.ts";
import type { JsonObject } from "./json.ts";
import { PATHS } from "./paths.ts";
import { RESPONSES } from "./responses.ts";
import { SCHEMAS } from "./schemas.ts";

/** Of the contract, not of the program: that is nobody's to know from outside. */
const CONTRACT_VERSION = "1.0.0";

/** OpenAPI 3.1 of everything a client can ask of the gateway. */
export const openApiDocument = ({ publicUrl, services }: Pick<GuideFacts, "publicUrl" | "services">): JsonObject => ({
  openapi: "3.1.1",
  info: {
    title: "AI Gateway",
    version: CONTRACT_VERSION,
    description: `Get a token, then call services with it. For people: ${publicUrl}/guide. Any other address is 404 \`not_found\`.`,
  },
  servers: [{ url: publicUrl }],
  security: [{ bearer: [] }, { oauth2: [] }],
  paths: PATHS,
  components: {
    schemas: SCHEMAS,
    headers: HEADERS,
    responses: RESPONSES,
    parameters: {
      service: {
        name: "service",
        in: "path",
        required: true,
        description: "A service's name; the guide lists them.",
        schema: { type: "string", pattern: "^[a-z0-9][a-z0-9-]{0,31}$" },
        ...(services.length > 0 && { examples: Object.fromEntries(services.map(serviceExample)) }),
      },
      job: {
        name: "job",
        in: "path",
        required: true,
        description: "A job's id.",
        schema: { type: "string", pattern: "^j_[0-9a-f]{40}$" },
      },
      path: {
        name: "path",
        in: "path",
        required: true,
        description: "The rest of the path; may contain slashes.",
        schema: { type: "string" },
      },
    },
    securitySchemes: {
      bearer: { type: "http", scheme: "bearer", description: "A token from POST /auth/token." },
      oauth2: {
        type: "oauth2",
        flows: { clientCredentials: { tokenUrl: `${publicUrl}/auth/token`, scopes: {} } },
      },
      basic: { type: "http", scheme: "basic", description: "Username and password, each form-encoded first." },
    },
  },
});

/** An OpenAPI Example Object of the parameter `service`. */
const serviceExample = ({ name, description, example, docsUrl }: GuideService): readonly [string, JsonObject] => {
  const more = [
    ...(example === undefined ? [] : [`\`\`\`\n${example}\n\`\`\``]),
    ...(docsUrl === undefined ? [] : [`Documentation: <${docsUrl}>`]),
  ];
  return [
    name,
    {
      value: name,
      ...(description !== undefined && { summary: description }),
      ...(more.length > 0 && { description: more.join("\n\n") }),
    },
  ];
};
