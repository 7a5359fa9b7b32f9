import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import { temporaryFolder } from "../support/home.ts";
import { answers, LOAD_CORE, type Pinned, startPinned, until } from "../support/processes.ts";

/** About 90 bytes, such as the shortest answer of a language model. */
const ANSWER = '{"id":"chatcmpl-1","object":"chat.completion","choices":[{"message":{"content":"hi"}}]}';

/**
 * The upstream: it answers faster than any gateway asks.
 * @param answer JSON without single quotes and `$`
 */
export const startNginx = async (answer: string = ANSWER): Promise<Pinned & { readonly url: string }> => {
  const folder = temporaryFolder();
  const port = await freePort();
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `master_process off; daemon off; pid ${folder}/nginx.pid; error_log stderr crit;
     events { worker_connections 4096; }
     http {
       access_log off; keepalive_requests 100000000; keepalive_timeout 65s;
       client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
       uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
       server { listen 127.0.0.1:${port}; location / { default_type application/json; return 200 '${answer.replaceAll("\\", "\\\\")}'; } }
     }`,
  );
  const nginx = startPinned(LOAD_CORE, "nginx", ["-c", file]);
  const url = `http://127.0.0.1:${port}`;
  await until("nginx", () => answers(url));
  return { ...nginx, url };
};
