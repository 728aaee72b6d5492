"""llama.cpp's HTTP server in a process of its own, so that tests can kill it.

Takes the settings as JSON in its only argument, prints the server's address once the model has
been loaded, and runs until its standard input ends.
"""

from __future__ import annotations

import json
import sys

import xllamacpp

settings = json.loads(sys.argv[1])
params = xllamacpp.CommonParams()
params.model.path = settings["model"]
params.model_alias = {"tiny"}
params.hostnames = ["127.0.0.1"]
params.port = settings["port"]
params.api_prefix = "/v2/router"
params.api_keys = settings["api_keys"]
params.n_parallel = settings["slots"]
params.n_ctx = 4096 * settings["slots"]
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
params.sse_ping_interval = 1
params.warmup = False
params.ui = False
params.verbosity = -1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
