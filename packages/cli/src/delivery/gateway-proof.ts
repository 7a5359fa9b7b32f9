import { setTimeout as delay } from "node:timers/promises";
import type { Sealer, Store } from "@aigw/core";
import { type GatewayProof, newChallenge, provesGateway } from "@aigw/core/sealing";
import { parsed } from "./quick-start/reply.ts";

/** What a gateway of the store at hand can prove. */
export interface Identity {
  readonly sealer: Sealer;
  readonly storeId: string;
}

export const identityOf = ({
  sealer,
  store,
}: {
  readonly sealer: Sealer;
  readonly store: Pick<Store, "control">;
}): Identity => ({ sealer, storeId: store.control.storeId });

export type Verdict =
  | { readonly kind: "proven" }
  /** It belongs to this store, but goes by another public URL. */
  | { readonly kind: "mismatch"; readonly publicUrl: string }
  /** It answers in the right form, but does not hold this store's key. */
  | { readonly kind: "stranger" }
  /** That is no proof at all. */
  | { readonly kind: "none" };

/** A gateway takes up a setting within a quarter of a second; nobody waits longer for one that never will. */
const TRIES = 4;
const RETRY_MS = 300;

/**
 * Has whoever answers at the public URL prove that it is a gateway of this store, and that this is where it is reached.
 * @param ask sends a GET without any credentials @param answerIn what was answered; undefined when nothing was
 */
export const askForProof = async <T>(
  { sealer, storeId }: Identity,
  publicUrl: string,
  ask: (url: string) => Promise<T>,
  answerIn: (reply: T) => { readonly status: number; readonly body: string } | undefined,
): Promise<{ readonly reply: T; readonly verdict: Verdict }> => {
  for (let tries = 1; ; tries += 1) {
    const challenge = newChallenge();
    const reply = await ask(`${publicUrl}/auth/proof?challenge=${challenge}`);
    const answer = answerIn(reply);
    const given = answer?.status === 200 ? proofIn(answer.body) : undefined;
    if (given === undefined) return { reply, verdict: { kind: "none" } };
    if (!provesGateway(sealer, storeId, challenge, given)) return { reply, verdict: { kind: "stranger" } };
    if (given.publicUrl === publicUrl) return { reply, verdict: { kind: "proven" } };
    if (tries === TRIES) return { reply, verdict: { kind: "mismatch", publicUrl: given.publicUrl } };
    await delay(RETRY_MS);
  }
};

/** Why no password may go there, for people; undefined where the proof has nothing to say. */
export const refusalIn = (publicUrl: string, verdict: Verdict): string | undefined => {
  if (verdict.kind === "stranger") {
    return `What answers at ${publicUrl} does not hold this store's key: it is a gateway on another store, or pretends to be one.`;
  }
  if (verdict.kind !== "mismatch") return undefined;
  // Whoever passes questions on to a gateway that is reached elsewhere has to say the same.
  return `The gateway behind ${publicUrl} belongs to this store, but says that clients reach it at ${verdict.publicUrl}: it has another AIGW_PUBLIC_URL, or somebody stands between.`;
};

const proofIn = (body: string): GatewayProof | undefined => {
  const { nonce, public_url: publicUrl, proof } = parsed(body);
  return typeof nonce === "string" && typeof publicUrl === "string" && typeof proof === "string"
    ? { nonce, publicUrl, proof }
    : undefined;
};
