import threading
import time

import pytest

from fumehood import (
    CommandExitError,
    CommandTimeoutError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    Sandbox,
    UnavailableError,
)


def test_a_sandbox_is_what_was_asked_for_and_is_found_again(sandbox):
    info = sandbox.info()
    assert (info.name, info.state, info.memory_bytes, info.purpose) == ("sdk", "running", 256 * 2**20, "test")
    assert info.expires_at > info.created_at
    assert Sandbox.connect("sdk").id == sandbox.id
    assert sandbox.id in [one.id for one in Sandbox.list()]


def test_a_command_gives_its_output_as_it_comes_and_as_a_whole(sandbox):
    seen = []
    result = sandbox.commands.run("echo one; sleep 0.2; echo two >&2; echo drei: ä", on_stdout=seen.append)
    assert (result.stdout, result.stderr, result.exit_code) == ("one\ndrei: ä\n", "two\n", 0)
    assert len(seen) >= 2 and "".join(seen) == result.stdout


def test_words_are_passed_on_as_they_are_and_a_line_gets_a_shell_only_when_it_needs_one(sandbox):
    assert sandbox.commands.run(["printf", "%s|", "a b", "$HOME", ";"]).stdout == "a b|$HOME|;|"
    assert sandbox.commands.run("echo 'a  b' c").stdout == "a  b c\n"
    assert sandbox.commands.run("cd /tmp && pwd").stdout == "/tmp\n"


def test_variables_and_folder_are_those_that_were_given(sandbox):
    result = sandbox.commands.run(["sh", "-c", "echo $WHO; pwd"], env={"WHO": "me"}, cwd="/tmp")
    assert result.stdout == "me\n/tmp\n"


def test_another_exit_code_than_0_is_an_error_that_carries_the_output(sandbox):
    with pytest.raises(CommandExitError) as caught:
        sandbox.commands.run("echo out; echo why >&2; exit 3")
    assert (caught.value.exit_code, caught.value.stdout, caught.value.stderr) == (3, "out\n", "why\n")
    assert "why" in str(caught.value)
    assert sandbox.commands.run("exit 3", check=False).exit_code == 3


def test_a_command_ends_when_its_time_is_over(sandbox):
    started = time.monotonic()
    with pytest.raises(CommandTimeoutError):
        sandbox.commands.run("sleep 60", timeout=0.5)
    with pytest.raises(TimeoutError):
        sandbox.commands.run("sleep 60", timeout=0.5)
    assert time.monotonic() - started < 50


def test_more_input_and_output_than_any_window_goes_through(sandbox):
    data = "0123456789abcdef" * 200_000
    result = sandbox.commands.run(["cat"], stdin=data)
    assert result.stdout == data


def test_a_command_in_the_background_is_talked_to_and_ended(sandbox):
    handle = sandbox.commands.run(["sh", "-c", "while read line; do echo got $line; done"], background=True)
    handle.send_stdin("a\n")
    assert next(iter(handle)).text == "got a\n"
    handle.send_stdin("b\n")
    handle.close_stdin()
    assert handle.wait().stdout == "got a\ngot b\n"

    sleeping = sandbox.commands.run("sleep 1000", background=True)
    threading.Timer(0.3, sleeping.kill).start()
    killed = sleeping.wait(check=False)
    assert (killed.exit_code, killed.signal) == (137, "KILL")


def test_a_command_whose_handle_is_closed_is_ended(sandbox):
    handle = sandbox.commands.run(["sleep", "4321"], background=True)
    handle.close()
    deadline = time.monotonic() + 30
    while "4321" in sandbox.commands.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' '", check=False).stdout.replace("[0-9]*", ""):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_command_that_is_not_there_ends_as_it_would_in_a_shell(sandbox):
    with pytest.raises(CommandExitError) as caught:
        sandbox.commands.run(["/no/such/program"])
    assert caught.value.exit_code == 127


def test_code_runs_in_the_warm_interpreter_and_its_traceback_is_told(sandbox):
    assert sandbox.run_code("print(6 * 7)").stdout == "42\n"
    with pytest.raises(CommandExitError) as caught:
        sandbox.run_code("x = 1\nraise ValueError('wrong')")
    assert "ValueError: wrong" in caught.value.stderr


def test_files_go_in_and_out_byte_by_byte(sandbox, tmp_path):
    data = bytes(range(256)) * 5000
    sandbox.commands.run(["mkdir", "folder"])
    assert sandbox.files.write("folder/data.bin", data) == len(data)
    assert sandbox.files.read_bytes("folder/data.bin") == data
    local = tmp_path / "local.bin"
    sandbox.files.download("folder/data.bin", local)
    assert local.read_bytes() == data
    assert sandbox.files.upload(local, "copy.bin") == len(data)
    sandbox.files.write("text.txt", "grüße", mode=0o600)
    assert sandbox.files.read("text.txt") == "grüße"
    (text,) = [one for one in sandbox.files.list() if one.name == "text.txt"]
    assert (text.kind, text.size_bytes, text.mode & 0o777) == ("file", 7, 0o600)
    sandbox.files.remove("folder", recursive=True)
    with pytest.raises(NotFoundError):
        sandbox.files.read("folder/data.bin")


def test_a_watch_tells_what_changes_below_a_folder_and_ends_with_it(sandbox):
    sandbox.commands.run(["mkdir", "/workspace/seen"])
    with sandbox.files.watch("/workspace/seen") as changes:
        sandbox.files.write("/workspace/seen/a.txt", "x")
        first = next(change for change in changes if change.path == "/workspace/seen/a.txt")
        assert first.kind == "created"
        sandbox.files.remove("/workspace/seen", recursive=True)
        assert ("deleted", "/workspace/seen/a.txt") in [(change.kind, change.path) for change in changes]
    with pytest.raises(NotFoundError):
        sandbox.files.watch("/workspace/nothing")


def test_a_port_is_opened_for_one_visit(sandbox):
    server = sandbox.commands.run(["python3", "-m", "http.server", "8123"], background=True)
    opened = sandbox.open(8123)
    assert (opened.id, opened.port) == (sandbox.id, 8123)
    assert opened.url.startswith("http") and opened.url not in repr(opened)
    server.close()


def test_what_it_uses_and_what_happened_is_told(sandbox):
    stats = sandbox.stats()
    assert stats.memory_bytes > 0 and stats.disk_limit_bytes > stats.disk_bytes
    assert "started" in [event.kind for event in sandbox.logs()]


def test_its_end_can_be_moved_but_not_beyond_the_longest_life(sandbox):
    before = sandbox.info().expires_at
    sandbox.set_timeout("2h")
    assert sandbox.info().expires_at > before
    sandbox.keepalive()
    with pytest.raises(InvalidRequestError):
        sandbox.set_timeout("1000d")


def test_a_removed_sandbox_leaves_nothing_and_takes_no_command(engineer):
    made = engineer.sandboxes.create(name="short")
    with pytest.raises(ConflictError):
        engineer.sandboxes.create(name="short")
    assert made.kill().remains == []
    with pytest.raises((NotFoundError, ConflictError)):
        made.commands.run(["true"])


def test_a_context_manager_removes_it_whatever_happens(engineer):
    with pytest.raises(ZeroDivisionError):
        with engineer.sandboxes.create() as made:
            raise ZeroDivisionError
    assert made.id not in [one.id for one in engineer.sandboxes.list()]


def test_a_server_that_is_not_there_is_named():
    from fumehood import Fumehood

    with pytest.raises(UnavailableError) as caught:
        Fumehood(url="http://127.0.0.1:9", token="x").status()
    assert "127.0.0.1:9" in str(caught.value) and caught.value.hint
