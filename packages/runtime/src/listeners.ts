import { rfc3339 } from "@aigw/core/date-time";
import { isAigwError } from "@aigw/core/errors";
import type { Handler } from "./app.ts";
import type { CorsRules } from "./cors/cors-rules.ts";
import type { ProblemCode } from "./http-errors.ts";
import type { Logger } from "./log.ts";
import type { MetricSources, OwnMetrics } from "./metrics/metrics.ts";
import { startMetricsServer } from "./metrics-server.ts";
import type { OpenFiles } from "./open-files.ts";
import { type CloseOptions, type ListenOptions, listen } from "./server.ts";
import type { CertificateFiles } from "./tls/certificate.ts";

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ListenersOptions {
  readonly address: Address;
  /** With it the public address speaks HTTPS only, and follows the files. */
  readonly tls: CertificateFiles | undefined;
  /** Where `/metrics` is; nowhere without it. */
  readonly adminAddress: Address | undefined;
  readonly app: Handler;
  readonly cors: CorsRules;
  readonly metrics: Omit<MetricSources, "certificateExpiresAt">;
  readonly openFiles: OpenFiles;
  readonly isDraining: () => boolean;
  readonly passesEncodedSlash: (target: string) => boolean;
  readonly onMalformed: (code: ProblemCode) => void;
  readonly onError: (error: unknown, requestId: string) => void;
  readonly log: Logger;
}

/** The addresses that a gateway listens on, and the certificate that it shows. */
export interface Listeners {
  readonly url: string;
  readonly adminUrl: string | undefined;
  /** For whoever shows them elsewhere. */
  loadMetrics(): Promise<OwnMetrics>;
  reloadCertificate(): Promise<void>;
  /** The public address; the other one shows the rest of the gateway's end. */
  close(options: CloseOptions): Promise<void>;
  closeAdmin(): Promise<void>;
}

/** Opens both or none. @throws AigwError `failed` when an address or the certificate cannot be used */
export const openListeners = async (options: ListenersOptions): Promise<Listeners> => {
  const { tls, log, onError, metrics } = options;
  const certificate =
    tls &&
    (await (
      await import("./tls/certificate-watch.ts")
    ).CertificateWatch.open({
      files: tls,
      onRenewed: ({ context, expiresAt }) => {
        server.setSecureContext(context);
        log.info({ until: rfc3339(expiresAt) }, "certificate renewed");
      },
      onFault: (error) => {
        const reason = isAigwError(error) ? error.message : "internal";
        log.error({ reason }, "certificate not renewed: the old one stays");
      },
    }));
  let ownMetrics: Promise<OwnMetrics> | undefined;
  // A gateway that nobody scrapes does not load the library.
  const loadMetrics = (): Promise<OwnMetrics> => {
    ownMetrics ??= import("./metrics/metrics.ts").then(({ createMetrics }) =>
      createMetrics({ ...metrics, certificateExpiresAt: certificate && (() => certificate.current.expiresAt) }),
    );
    return ownMetrics;
  };
  const admin =
    options.adminAddress &&
    (await startMetricsServer({ ...options.adminAddress, metrics: await loadMetrics(), onError }));
  const publicOptions: ListenOptions = {
    ...options.address,
    app: options.app,
    openFiles: options.openFiles,
    cors: options.cors,
    isDraining: options.isDraining,
    passesEncodedSlash: options.passesEncodedSlash,
    onMalformed: options.onMalformed,
    ...(certificate && { tls: { context: certificate.current.context, onFailure: () => metrics.stats.tlsFailures++ } }),
  };
  const closeAdmin = async (): Promise<void> => admin?.close();
  const server = await listen(publicOptions).catch(async (error: unknown) => {
    await closeAdmin();
    throw error;
  });
  certificate?.start();
  return {
    url: server.url,
    adminUrl: admin?.url,
    loadMetrics,
    reloadCertificate: async () => certificate?.check(),
    close: async (closeOptions) => {
      await server.close(closeOptions);
      certificate?.close();
    },
    closeAdmin,
  };
};
