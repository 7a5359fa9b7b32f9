// The least a Node gateway can do: node:http in, undici dispatch out. It checks, limits and records nothing.
import { createServer } from "node:http";
import { Pool } from "undici";

const [upstream, port] = process.argv.slice(2);
const pool = new Pool(upstream, { pipelining: 1 });

createServer((request, response) => {
  const { url: path, method, headers } = request;
  delete headers.connection;
  const body = method === "GET" ? null : request;
  pool.dispatch(
    { path, method, headers, body },
    {
      onRequestStart() {},
      onResponseStart(_controller, status, fields) {
        response.writeHead(status, fields);
      },
      onResponseData(_controller, chunk) {
        response.write(chunk);
      },
      onResponseEnd() {
        response.end();
      },
      onResponseError() {
        response.destroy();
      },
    },
  );
}).listen(Number(port), "127.0.0.1");
