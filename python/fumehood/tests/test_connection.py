"""Where the client goes, and whom it shows its token."""

import json
import os

import pytest

from fumehood import Fumehood, UnavailableError
from fumehood._connection import find_connection


@pytest.fixture
def homes(tmp_path, monkeypatch):
    """A home whose control plane runs (as this process), and a login that is kept."""
    for name in list(os.environ):
        if name.startswith("FUMEHOOD_"):
            monkeypatch.delenv(name)
    home, config = tmp_path / "home", tmp_path / "config" / "fumehood"
    home.mkdir()
    config.mkdir(parents=True)
    monkeypatch.setenv("FUMEHOOD_HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (home / "control.json").write_text(json.dumps({"pid": os.getpid(), "url": "http://127.0.0.1:3863"}))
    (home / "operator.token").write_text("operators\n")
    (config / "login.json").write_text(json.dumps({"url": "https://far.example", "token": "kept"}))
    return home


def test_without_anything_it_is_the_running_one_with_its_operators_token(homes):
    assert find_connection() == find_connection("http://127.0.0.1:3863/", "operators")


def test_a_token_that_is_kept_is_sent_to_its_own_server_only(homes, monkeypatch):
    assert find_connection("https://far.example").token == "kept"
    assert find_connection("https://evil.example").token is None
    assert find_connection("http://far.example").token is None
    assert find_connection("https://far.example:8443").token is None
    monkeypatch.setenv("FUMEHOOD_URL", "http://127.0.0.1:3864")
    assert find_connection().token is None


def test_the_environment_comes_before_what_is_kept(homes, monkeypatch):
    monkeypatch.setenv("FUMEHOOD_URL", "https://other.example")
    monkeypatch.setenv("FUMEHOOD_TOKEN", "mine")
    found = find_connection()
    assert (found.url, found.token) == ("https://other.example", "mine")
    assert "mine" not in repr(found)


def test_a_control_plane_that_ended_is_not_taken_for_a_running_one(homes):
    (homes / "control.json").write_text(json.dumps({"pid": 2**22 + 1, "url": "http://127.0.0.1:3863"}))
    assert find_connection().url == "https://far.example"
    (homes.parent / "config" / "fumehood" / "login.json").unlink()
    with pytest.raises(UnavailableError) as caught:
        find_connection()
    assert "fumehood up" in caught.value.hint


def test_no_proxy_of_the_environment_gets_to_see_what_goes_to_this_machine(monkeypatch, engineer):
    connection = engineer._transport.connection
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    client = Fumehood(url=connection.url, token=connection.token)
    with client.sandboxes.create(memory="256m") as sandbox:
        assert sandbox.commands.run(["echo", "direct"]).stdout == "direct\n"
