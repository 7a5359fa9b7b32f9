import type { ActDeps, AddClientInput } from "@aigw/core";
import { newClient } from "../../packages/core/src/acts/add-client.ts";
import { commit } from "../../packages/core/src/acts/commit.ts";

/** Of the hashes below: those that the product makes. */
const PREFIX = "$argon2id$v=19$m=19456,t=2,p=1$";
/** Passwords as they are generated, each with its hash, which takes 25 ms of processor time to make. */
const KNOWN: readonly (readonly [password: string, hash: string])[] = [
  ["VgDeujhJ20a.4STBVE5N", "A9PrcjQBwgCIV+pGKzD5Jw$okU8z/LSoY9cPdAPFS68S0BIiGhzTkx6Sm0/+6L5lUI"],
  ["JO~vmvvc88jv6eV_lm*c", "ocsjaiqxx6G1YVJusZBLBg$Q/dCfLtaa0CLZnBXU6LE3Ey/xX9iz0nO4Q+yJMyxPIU"],
  ["1q@IfTHKQzGrvLwUOlM4", "rJ602pzpPzZ6+WRctP9FpA$SqDpIyDu/iRuqLlnPNz0pav59xF1KSdMs0/UC2bi5jc"],
  ["YQBnnryUozWW.D3qLb9f", "apc7YAqXAaKbbCfB2ty7/A$pY94kZKVvuAHnduvsNUxded9Uwnd5seuWUrW0MPPdbs"],
  ["7XDEpMLTzby6ezI*vFLD", "Z8ddYnLMNcRG4+hnTcBQkg$OjsHJ/3FK3qwat2jcbDA07XRwdctrXefHVJ4Auw5oKo"],
  ["uF~l15nDn~Mw@cfRQ9o4", "zOTU9Xdx9cyq7iBHjj2yfg$AtPJLdzCmQetHaHU+ePPzU94Ye4RCtmDVPHwHD+mVxA"],
  ["WTl*f:lbq7qVLwbtDH3N", "qoBNAVTh8YaUtOKF6aR53w$5KWqK1/x7GSNdFc7Ujt7UJpNGivwMHAa7aSEKcpbG4c"],
  ["iH9k53eoZSEA46A-HkQJ", "fxlKljeKYnjLSJh6a4+DJg$6fj2y+uAkgoZZhLSj3qfrf6RdM2p9bKTSW8Te98n6zQ"],
  ["T9OjWe9OeF6gq-KtzdpP", "BOL2RFrYhSIWD5WdcbjhOQ$ladqg6ewvCc6gmlZwGnYQOfY1PD6P9vMm0dbjMnaXm4"],
  ["2t.j3ZQmST*I49a:R72D", "aErZDTjoYwNx1Yg0Lpbpyw$xva2v+jRZaTtTG+a/LFqwm0XmpNJEbDJftgtSvdD5x8"],
  ["0Hs7R3aD8wvJNx@Dn5XK", "fWFma8l1A0WANhYAHEsFdg$ZMqvZh23aiG7gfYMpYKrgw3CfihSp8vV9s451ptCZaI"],
  ["xpvxvyZu:6:-Z1dTFT~I", "VvQB0bcv3YreZicN9R3CYg$ZDrCL0RF47/ISVBOOjw5tiisKoGKcDCo4NBNRQQwymM"],
  ["W_I6A9TGaI:jNuRbhuJ7", "4iol55GZfCgtOL/qFz/U3g$XKclGflKZnId1yl3aTTEtMjR90Xd8FJ4/IhKoaJI8kU"],
  ["DtIB@31v9,.wblo3Z@uI", "oPj5aE5O1pretUsl6HAI9A$X781Tl6UJD2YxPnGuv6CuL1MtlpWuOvZmdwlE4pEHnU"],
  ["82mYlgZQy1-0JM:xB@,0", "w0UXapLfI+HPKTGQcMWr/A$qA22JpysdfM2sp+w3a9PcFeFYdQ08z3CbQPmjMFv9gw"],
  ["Ut.-4.OU0_nFf*gMlw@4", "WhpTm/IowtFaEohgmiwRKQ$y2r2hetIVOfoJj3bC9usbdeGfnfD+gy7aqNtT8McnGo"],
];
let taken = 0;

/**
 * Adds a client as addClient() does, with a password whose hash is known: for tests that need one and do not test how it
 * comes to be. Its services have to be there. Sixteen in a row have passwords of their own.
 */
export const addKnownClient = async (
  deps: ActDeps,
  { name, ...facts }: Omit<AddClientInput, "password">,
): Promise<{ name: string; password: string }> => {
  const [password, hash] = KNOWN[taken++ % KNOWN.length] ?? [];
  if (password === undefined) throw new Error("no password is known");
  await commit(deps, async () => {
    if ((await deps.store.control.client(name)) !== undefined) throw new Error(`there is a client ${name}`);
    const after = newClient({ ...facts, name }, `${PREFIX}${hash}`, deps.clock.now());
    return { draft: { action: "client.add", subject: name, after }, result: undefined };
  });
  return { name, password };
};
