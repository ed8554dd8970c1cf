"""An app as a sandbox may run one, friendly or hostile by its path. Answers with what it was asked, echoes WebSockets."""

import base64
import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.headers.get("upgrade", "").lower() == "websocket":
            return self.websocket()
        if self.path == "/garbage":
            self.close_connection = True
            return self.wfile.write(b"\x00\xff this is no HTTP\r\n\r\n")
        if self.path == "/hang-up":
            self.close_connection = True
            return None
        if self.path == "/endless-headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            self.close_connection = True
            try:
                for number in range(100_000):
                    self.wfile.write(b"x-%d: %s\r\n" % (number, b"y" * 1000))
            except OSError:
                pass
            return None
        if self.path.startswith("/bytes/"):
            return self.answer(b"z" * int(self.path.split("/")[2]), "application/octet-stream")
        self.echo(b"")

    def do_POST(self):
        self.echo(self.rfile.read(int(self.headers.get("content-length", "0"))))

    def echo(self, body):
        said = {"method": self.command, "path": self.path, "headers": [[k.lower(), v] for k, v in self.headers.items()], "bytes": len(body)}
        self.answer(json.dumps(said).encode(), "application/json")

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        if self.path == "/hostile":
            self.send_header("set-cookie", "app=1; Domain=localhost; Path=/")
            self.send_header("set-cookie", "fumehood-visit=stolen; Path=/")
            self.send_header("clear-site-data", '"*"')
            self.send_header("strict-transport-security", "max-age=1; includeSubDomains")
            self.send_header("proxy-authenticate", "Basic")
            self.send_header("x-named", "one connection only")
            self.send_header("connection", "keep-alive, x-named")
        self.end_headers()
        self.wfile.write(body)

    def websocket(self):
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_response(101)
        for name, value in (("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", accept)):
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        while True:
            self.wfile.flush()
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                return
            mask = self.rfile.read(4)
            text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(head[1] & 127)))
            self.wfile.write(bytes([0x81, len(text)]) + text)


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App)
print("ready", flush=True)
server.serve_forever()
