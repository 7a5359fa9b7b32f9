"""A service on Python's own http.server that sends more than its answers hold; prints its port."""

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Sloppy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        mark = self.headers["X-Mark"]
        body = f"{mark} {self.path} {mark}\n".encode()
        kind = self.path.split("/")[1]
        if kind in ("204", "304"):
            self.send_response(int(kind))
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")
        self.wfile.flush()
        if kind != "mine":
            # As a page that takes a moment to make.
            time.sleep(0.005)
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            self.wfile.flush()

    do_GET = do_HEAD = answer

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *args):
        pass


server = Server(("127.0.0.1", 0), Sloppy)
print(server.server_address[1], flush=True)
server.serve_forever()
