"""An HTTP server on 127.0.0.1 that can hang up on everybody and come back on the same port.

What chat.py and model.py stand on. Each connection has a thread; a handler is called with the request
as it came, whole.
"""
import http.server
import json
import socket
import threading
import urllib.parse

BODY_BYTES_MAX = 128 << 20


class Request:
    def __init__(self, handler, body):
        url = urllib.parse.urlsplit(handler.path)
        self.method = handler.command
        self.path = url.path
        self.headers = handler.headers
        self.body = body
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self._handler = handler

    def answer(self, value, status=200):
        self.answer_bytes(json.dumps(value).encode(), "application/json", status)

    def answer_bytes(self, data, content_type, status=200):
        h = self._handler
        h.send_response(status)
        h.send_header("Content-Type", content_type)
        h.send_header("Content-Length", str(len(data)))
        h.end_headers()
        h.wfile.write(data)

    def hang_up(self):
        """The connection ends without an answer."""
        self._handler.close_connection = True
        try:
            self._handler.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class _Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass    # a client that went away; what matters is asked for by the tests


class Server:
    def __init__(self, handle):
        self._handle = handle
        self._lock = threading.Lock()
        self._open = set()
        self._listener = None
        self.port = 0
        self.accept()
        self.base = "http://127.0.0.1:%d" % self.port

    def accept(self):
        """Listens, from the second time on at the port of the first."""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                with outer._lock:
                    outer._open.add(self.connection)

            def finish(self):
                with outer._lock:
                    outer._open.discard(self.connection)
                super().finish()

            def log_message(self, *_):
                pass

            def do_POST(self):
                outer._handle(Request(self, self._body()))

            do_GET = do_POST

            def _body(self):
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = b""
                    while True:
                        size = int(self.rfile.readline().split(b";")[0], 16)
                        body += self.rfile.read(size)
                        self.rfile.readline()
                        if not size:
                            return body
                        if len(body) > BODY_BYTES_MAX:
                            raise OSError("a body of more than %d bytes" % BODY_BYTES_MAX)
                return self.rfile.read(min(int(self.headers.get("Content-Length", 0)), BODY_BYTES_MAX))

        self._listener = _Listener(("127.0.0.1", self.port), Handler)
        self.port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.05},
                         daemon=True).start()

    def refuse(self):
        """Nobody listens any more, and who is connected is hung up on."""
        if not self._listener:
            return
        self._listener.shutdown()
        self._listener.server_close()
        self._listener = None
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def form(content_type, body):
    """The fields of a multipart body: text, or (file name, type, bytes)."""
    boundary = content_type.split("boundary=", 1)[1].split(";")[0].strip('" ').encode()
    fields = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        lines = {}
        for line in head.decode("utf-8", "replace").split("\r\n"):
            name, _, value = line.partition(":")
            lines[name.lower()] = value.strip()
        words = {}
        for word in lines.get("content-disposition", "").split(";")[1:]:
            name, _, value = word.strip().partition("=")
            words[name.rstrip("*").lower()] = value.strip('"')
        if "filename" in words:
            fields[words["name"]] = (words["filename"], lines.get("content-type", ""), data)
        else:
            fields[words["name"]] = data.decode("utf-8")
    return fields
