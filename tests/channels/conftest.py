"""What the channel tests ask for beside their fakes."""

from __future__ import annotations

import socket
from typing import Any

import pytest


@pytest.fixture
def unknown_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver knows nothing below .invalid, as RFC 6761 promises; asking a real one would leave this machine."""
    ask = socket.getaddrinfo

    def asked(host: Any, *rest: Any, **more: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ask(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", asked)
