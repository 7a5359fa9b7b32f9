// Large bodies, up and down.
import { request } from "node:http";
import { Content, Digest } from "../support/content.ts";
import { answer } from "../support/peer.ts";

interface Transfer {
  /** Of a service on the gateway, without a slash at the end. */
  readonly url: string;
  readonly token: string;
  readonly bytes: number;
}

type Sum = ReturnType<Digest["end"]>;

/** @returns what was sent, and what the upstream says it received */
const upload = ({ url, token, bytes }: Transfer): Promise<{ readonly sent: Sum; readonly received: Sum }> =>
  new Promise((done, failed) => {
    const digest = new Digest();
    const headers = { Authorization: `Bearer ${token}`, "Content-Length": bytes };
    const outgoing = request(`${url}/upload`, { method: "PUT", headers, agent: false }, (response) => {
      let text = "";
      response
        .setEncoding("utf8")
        .on("data", (part: string) => {
          text += part;
        })
        .on("error", failed)
        .on("end", () => {
          if (response.statusCode === 200) done({ sent: digest.end(), received: JSON.parse(text) as Sum });
          else failed(new Error(`the upload was answered with ${response.statusCode}: ${text}`));
        });
    });
    outgoing.on("error", failed);
    new Content(bytes).on("data", (chunk: Buffer) => digest.add(chunk)).pipe(outgoing);
  });

/** @returns what arrived */
const download = ({ url, token, bytes }: Transfer): Promise<Sum> =>
  new Promise((done, failed) => {
    const digest = new Digest();
    const headers = { Authorization: `Bearer ${token}` };
    request(`${url}/download?bytes=${bytes}`, { headers, agent: false }, (response) => {
      response
        .on("data", (chunk: Buffer) => digest.add(chunk))
        .on("error", failed)
        .on("end", () => {
          if (response.statusCode === 200) done(digest.end());
          else failed(new Error(`the download was answered with ${response.statusCode}`));
        });
    })
      .on("error", failed)
      .end();
  });

const acts = { upload, download };
export type TransferActs = typeof acts;
answer(acts);
