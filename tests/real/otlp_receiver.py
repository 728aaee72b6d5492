"""Run as a process: takes OTLP over HTTP, decodes its protobuf, and shows what came as JSON.

``POST /v1/traces`` and ``/v1/metrics`` as the OTLP specification has them; ``GET /`` answers with
all that was received so far. Prints its URL, and ends when its standard input does.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace

SERVICES = {
    "/v1/traces": (trace.ExportTraceServiceRequest, trace.ExportTraceServiceResponse),
    "/v1/metrics": (metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse),
}
received: dict[str, list[object]] = {path: [] for path in SERVICES}


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        kinds = SERVICES.get(self.path)
        if kinds is None or self.headers["content-type"] != "application/x-protobuf":
            self.answer(415, b"", "text/plain")
            return
        request, response = kinds
        received[self.path].append(MessageToDict(request.FromString(body)))
        self.answer(200, response().SerializeToString(), "application/x-protobuf")

    def do_GET(self) -> None:
        self.answer(200, json.dumps(received).encode(), "application/json")

    def answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()
