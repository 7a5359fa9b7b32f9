import { effectiveSetting } from "@aigw/core/config";
import { type GatewayProof, isChallenge, proveGateway, type Sealer } from "@aigw/core/sealing";
import type { Handler } from "hono";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { GatewayEnv, GatewayRequest } from "../gateway-env.ts";
import { problemResponse } from "../http-errors.ts";
import { ownPublicUrl } from "../own-url.ts";
import { closeIfUnread } from "../proxy/lingering-close.ts";

export interface GatewayProverOptions {
  readonly sealer: Sealer;
  readonly storeId: string;
  readonly follower: Pick<ControlFollower, "rev" | "settings">;
  /** Settings in it come before stored ones. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly ownUrl: () => string;
}

/** Answers challenges for this gateway. Asks no store: it costs some microseconds, whoever asks. */
export class GatewayProver {
  readonly #options: GatewayProverOptions;
  #rev = -1;
  #publicUrl = "";

  constructor(options: GatewayProverOptions) {
    this.#options = options;
  }

  prove(challenge: string): GatewayProof {
    const { sealer, storeId, follower, env, ownUrl } = this.#options;
    if (follower.rev !== this.#rev) {
      const { value = "", source } = effectiveSetting("public-url", follower.settings, env);
      this.#publicUrl = source === "default" ? ownPublicUrl(ownUrl()) : value;
      this.#rev = follower.rev;
    }
    return proveGateway(sealer, storeId, challenge, this.#publicUrl);
  }
}

const PATH = "/auth/proof?challenge=";

/**
 * `GET /auth/proof?challenge=…`: that this gateway belongs to the store of whoever asks, to whoever can tell. On Node's
 * own request and response, so that a stranger's question costs no more than the refusal of a call without a token.
 * @returns false when it is no such question; then nothing was answered
 */
export const answerProof = (
  prover: GatewayProver,
  { incoming, outgoing, target, requestId, cors }: GatewayRequest,
): boolean => {
  const { method } = incoming;
  if (!target.startsWith(PATH) || (method !== "GET" && method !== "HEAD")) return false;
  const challenge = target.slice(PATH.length);
  if (!isChallenge(challenge)) return false;
  const { nonce, publicUrl, proof } = prover.prove(challenge);
  const body = JSON.stringify({ nonce, public_url: publicUrl, proof });
  closeIfUnread(incoming, outgoing);
  outgoing.writeHead(200, [
    "Content-Type",
    "application/json",
    "Content-Length",
    String(Buffer.byteLength(body)),
    "Cache-Control",
    "no-store",
    "X-Request-ID",
    requestId,
    ...cors.own,
  ]);
  outgoing.end(body);
  return true;
};

/** What is left of the address: questions that are none. */
export const refuseProof: Handler<GatewayEnv> = (c) =>
  problemResponse({
    code: "invalid_request",
    detail: "The query has to be ?challenge= with 32 bytes at random in base64url.",
    requestId: c.env.requestId,
  });
