import { effectiveSetting } from "@aigw/core/config";
import { type GatewayProof, isChallenge, proveGateway, type Sealer } from "@aigw/core/sealing";
import type { ControlFollower } from "../follow/control-follower.ts";
import { ownPublicUrl } from "../own-url.ts";
import { refuse } from "../proxy/lingering-close.ts";
import { answerJson } from "./answer.ts";
import type { Route } from "./dispatch.ts";

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

const START = "/auth/proof?challenge=";

/**
 * `GET /auth/proof?challenge=…`: that this gateway belongs to the store of whoever asks, to whoever can tell. A stranger's
 * question costs no more than the refusal of a call without a token.
 */
export const proofRoute = (prover: GatewayProver): Route => ({
  methods: "GET, HEAD",
  handle: (request) => {
    const { incoming, outgoing, target, requestId, cors } = request;
    const challenge = target.startsWith(START) ? target.slice(START.length) : "";
    if (!isChallenge(challenge)) {
      const detail = "The query has to be ?challenge= with 32 bytes at random in base64url.";
      refuse(incoming, outgoing, { code: "invalid_request", detail, requestId }, cors.own);
      return;
    }
    const { nonce, publicUrl, proof } = prover.prove(challenge);
    const body = JSON.stringify({ nonce, public_url: publicUrl, proof });
    answerJson(request, 200, body, ["Cache-Control", "no-store"]);
  },
});
