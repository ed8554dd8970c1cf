"""A page as apps have them: events as they happen, a WebSocket, an upload, a redirect, a cookie, a worker. Nothing but the standard library."""

import base64
import hashlib
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"""<!doctype html><title>app</title><link rel="icon" href="data:,"><ul id="said"></ul><input type="file">
<script>
const say = (text) => { const item = document.createElement("li"); item.textContent = text; said.append(item); };
const events = new EventSource("/events");
events.onmessage = (event) => { say("event " + event.data); if (event.data === "3") events.close(); };
const socket = new WebSocket((location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/socket");
socket.onopen = () => socket.send("hello");
socket.onmessage = (event) => say("echo " + event.data);
document.querySelector("input").onchange = async (event) => {
  const body = new FormData();
  body.append("file", event.target.files[0]);
  say("upload " + await (await fetch("/upload", { method: "POST", body })).text());
};
fetch("/moved").then(async (answer) => say("moved to " + new URL(answer.url).pathname + " " + await answer.text()));
new Worker(URL.createObjectURL(new Blob(["postMessage('works')"]))).onmessage = (event) => say("worker " + event.data);
fetch("https://example.org/").then(() => say("outside reached"), () => say("outside refused"));
</script>"""


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/":
            return self.answer(PAGE, "text/html")
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("location", "/there")
            self.send_header("set-cookie", "seen=yes; Path=/")
            self.send_header("content-length", "0")
            return self.end_headers()
        if self.path == "/there":
            return self.answer(self.headers.get("cookie", "no cookie").encode(), "text/plain")
        if self.path == "/events":
            return self.events()
        if self.path == "/socket":
            return self.socket()
        self.answer(b"", "text/plain")

    def do_POST(self):
        length = int(self.headers["content-length"])
        self.answer(b"%d of %d bytes" % (len(self.rfile.read(length)), length), "text/plain")

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def events(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        for number in range(1, 4):
            self.wfile.write(b"data: %d\n\n" % number)
            time.sleep(0.2)
        # A stream that goes on: what was sent must have arrived by itself.
        time.sleep(60)

    def socket(self):
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        for name, value in (("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", accept)):
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        head = self.rfile.read(2)
        mask = self.rfile.read(4)
        text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(head[1] & 127)))
        self.wfile.write(bytes([0x81, len(text)]) + text)
        self.rfile.read(1)


print("ready", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
