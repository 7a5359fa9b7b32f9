import { effectiveSetting } from "@aigw/core/config";
import { type GatewayProof, isChallenge, proveGateway, type Sealer } from "@aigw/core/sealing";
import type { Handler } from "hono";
import type { ControlFollower } from "../follow/control-follower.ts";
import type { GatewayEnv } from "../gateway-env.ts";
import { problemResponse } from "../http-errors.ts";
import { ownPublicUrl } from "../own-url.ts";

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

/** `GET /auth/proof?challenge=…`: that this gateway belongs to the store of whoever asks, to whoever can tell. */
export const proofRoute =
  (prover: GatewayProver): Handler<GatewayEnv> =>
  (c) => {
    const challenge = c.req.query("challenge") ?? "";
    if (!isChallenge(challenge)) {
      const detail = "The query needs challenge=, 32 bytes at random in base64url.";
      return problemResponse({ code: "invalid_request", detail, requestId: c.env.requestId });
    }
    const { nonce, publicUrl, proof } = prover.prove(challenge);
    return c.json({ nonce, public_url: publicUrl, proof }, 200, { "Cache-Control": "no-store" });
  };
