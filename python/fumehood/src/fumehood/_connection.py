"""Where the control plane is and what to show it: the same rules as those of the command line."""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import UnavailableError


@dataclass(frozen=True)
class Connection:
    url: str
    token: str | None = field(default=None, repr=False)

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine: then no proxy of the environment is used, which would get the token to see."""
        host = urlsplit(self.url).hostname or ""
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def headers(self) -> dict[str, str]:
        headers = {"accept": "application/json", "traceparent": _traceparent()}
        if self.token is not None:
            headers["authorization"] = f"Bearer {self.token}"
        return headers


def find_connection(url: str | None = None, token: str | None = None, home: str | None = None) -> Connection:
    """
    Arguments, then FUMEHOOD_URL and FUMEHOOD_TOKEN, then the control plane that runs in the home with its operator's token,
    then what `fumehood login` keeps. A token that was kept is sent to its own server only.
    """
    folder = _home(home)
    local = _running(folder)
    login = _read_json(_config_folder() / "fumehood" / "login.json")
    local_url = local.get("url") if local else None
    found = url or os.environ.get("FUMEHOOD_URL") or local_url or login.get("url")
    if not isinstance(found, str):
        raise UnavailableError(
            f"No control plane runs in {folder}.",
            hint='Start one with "fumehood up --detach", or set FUMEHOOD_URL.',
        )
    chosen = token or os.environ.get("FUMEHOOD_TOKEN")
    if not chosen and _same_server(found, local_url):
        chosen = _read_text(folder / "operator.token").strip()
    if not chosen and _same_server(found, login.get("url")):
        chosen = login.get("token")
    return Connection(url=found.rstrip("/"), token=chosen or None)


def _home(named: str | None) -> Path:
    given = named or os.environ.get("FUMEHOOD_HOME")
    if given:
        return Path(given).resolve()
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data.startswith("/") else Path.home() / ".local" / "share") / "fumehood"


def _config_folder() -> Path:
    config = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(config) if config.startswith("/") else Path.home() / ".config"


def _running(home: Path) -> dict[str, Any] | None:
    control = _read_json(home / "control.json")
    pid = control.get("pid")
    if not isinstance(pid, int) or not isinstance(control.get("url"), str):
        return None
    try:
        os.kill(pid, 0)
    except PermissionError:
        return control
    except OSError:
        return None
    return control


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_read_text(path))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _same_server(one: str, other: Any) -> bool:
    if not isinstance(other, str):
        return False
    a, b = urlsplit(one), urlsplit(other)
    return (a.scheme, a.hostname, a.port) == (b.scheme, b.hostname, b.port)


def _traceparent() -> str:
    """The trace of the caller, or a new one for this client."""
    return os.environ.get("TRACEPARENT") or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
