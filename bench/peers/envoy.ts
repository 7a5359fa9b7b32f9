import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import { temporaryFolder } from "../support/home.ts";
import { ENVOY } from "../support/machine.ts";
import { GATEWAY_CORE, startPinned } from "../support/processes.ts";
import { postScript } from "../support/wrk.ts";
import { CLIENT, hs256, type Peer, SECRET, started } from "./peers.ts";

const ISSUER = "https://bench.example.com";
const CLIENT_FIELD = "x-client";
/** For each client: nobody here gets through it. */
const LIMIT = 100_000_000;
/** For all together, which Envoy wants to be said, too. */
const NO_LIMIT = 4_000_000_000;

const typed = (name: string, type: string, config: object): object => ({
  name,
  typed_config: { "@type": `type.googleapis.com/envoy.extensions.${type}`, ...config },
});

/** RFC 7517: the secret as a key set of one. */
const KEYS = JSON.stringify({
  keys: [{ kty: "oct", alg: "HS256", k: Buffer.from(SECRET).toString("base64url") }],
});

/**
 * The same duties as HAProxy's, and a record: the token is verified, calls are counted per client (its own filter, in
 * this process, in a bucket for each `sub`), each call is a line of a file, written in batches. One thread. Upstream
 * connections are kept, as all contenders keep them.
 */
export const startEnvoy = async (upstream: string): Promise<Peer> => {
  const port = await freePort();
  const folder = temporaryFolder();
  const { hostname, port: upstreamPort } = new URL(upstream);
  const filters = [
    typed("envoy.filters.http.jwt_authn", "filters.http.jwt_authn.v3.JwtAuthentication", {
      providers: {
        bench: {
          issuer: ISSUER,
          local_jwks: { inline_string: KEYS },
          claim_to_headers: [{ header_name: CLIENT_FIELD, claim_name: "sub" }],
          // What aigw does, too: a token that was verified once is remembered.
          jwt_cache_config: { jwt_cache_size: 10_000 },
        },
      },
      rules: [{ match: { prefix: "/" }, requires: { provider_name: "bench" } }],
    }),
    typed("envoy.filters.http.local_ratelimit", "filters.http.local_ratelimit.v3.LocalRateLimit", {
      stat_prefix: "permits",
      token_bucket: { max_tokens: NO_LIMIT, tokens_per_fill: NO_LIMIT, fill_interval: "60s" },
      filter_enabled: { default_value: { numerator: 100 } },
      filter_enforced: { default_value: { numerator: 100 } },
      rate_limits: [{ actions: [{ request_headers: { header_name: CLIENT_FIELD, descriptor_key: "client" } }] }],
      descriptors: [
        {
          entries: [{ key: "client" }],
          token_bucket: { max_tokens: LIMIT, tokens_per_fill: LIMIT, fill_interval: "60s" },
        },
      ],
      max_dynamic_descriptors: 10_000,
    }),
    typed("envoy.filters.http.router", "filters.http.router.v3.Router", {}),
  ];
  const manager = typed("hcm", "filters.network.http_connection_manager.v3.HttpConnectionManager", {
    stat_prefix: "in",
    http_filters: filters,
    access_log: [
      typed("file", "access_loggers.file.v3.FileAccessLog", {
        path: join(folder, "access.log"),
        log_format: {
          json_format: {
            at: "%START_TIME%",
            client: `%REQ(${CLIENT_FIELD})%`,
            method: "%REQ(:METHOD)%",
            path: "%REQ(:PATH)%",
            status: "%RESPONSE_CODE%",
            ms: "%DURATION%",
            in: "%BYTES_RECEIVED%",
            out: "%BYTES_SENT%",
            id: "%REQ(X-REQUEST-ID)%",
          },
        },
      }),
    ],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "out", timeout: "60s" } }],
        },
      ],
    },
  });
  const address = (host: string, value: number): object => ({ socket_address: { address: host, port_value: value } });
  const file = join(folder, "envoy.json");
  writeFileSync(
    file,
    JSON.stringify({
      static_resources: {
        listeners: [{ name: "in", address: address("127.0.0.1", port), filter_chains: [{ filters: [manager] }] }],
        clusters: [
          {
            name: "out",
            type: "STATIC",
            connect_timeout: "5s",
            circuit_breakers: {
              thresholds: [{ max_connections: 1024, max_pending_requests: 1024, max_requests: 1024 }],
            },
            load_assignment: {
              cluster_name: "out",
              endpoints: [{ lb_endpoints: [{ endpoint: { address: address(hostname, Number(upstreamPort)) } }] }],
            },
          },
        ],
      },
    }),
  );
  const args = ["-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
  const envoy = startPinned(GATEWAY_CORE, ENVOY, args);
  const token = hs256({ iss: ISSUER, sub: CLIENT, exp: Math.floor(Date.now() / 1_000) + 86_400 }, SECRET);
  return started(envoy, `http://127.0.0.1:${port}/`, postScript([token]));
};
