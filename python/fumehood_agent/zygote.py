"""Runs in the environment's own interpreter: imports ahead, then forks a child for every call."""

import builtins
import gc
import importlib
import json
import linecache
import os
import select
import signal
import socket
import sys
import traceback


def main():
    channel = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(channel.fileno(), False)
    for name in json.loads(sys.argv[2]):
        try:
            importlib.import_module(name)
        except Exception as error:
            print(f"not loaded ahead: {name}: {error}", file=sys.stderr)
    gc.collect()
    gc.freeze()  # what is loaded stays shared with the children: their collector leaves it alone
    channel.send(b'{"loaded": true}')
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    calls = {}
    while True:
        ready, _, _ = select.select([channel, reading], [], [])
        if reading in ready:
            os.read(reading, 4096)
            report(channel, calls)
        if channel in ready:
            data, descriptors, _, _ = socket.recv_fds(channel, 64 * 1024, 4)
            if not data:
                return
            call = json.loads(data)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for number in (reading, writing):
                    os.close(number)
                child(channel, call, descriptors)
            for number in descriptors:
                os.close(number)
            calls[pid] = call["call"]


def report(channel, calls):
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid in calls:
            channel.send(json.dumps({"call": calls.pop(pid), "status": status}).encode())


def end_first():
    """When memory runs out, before the interpreter that it was forked from. A higher score stays."""
    with open("/proc/self/oom_score_adj") as score:
        own = int(score.read())
    if own < 500:
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("500")


def child(channel, call, descriptors):
    code = 1
    try:
        os.setsid()
        # by itself, and before the code runs: the code may end the interpreter that it was forked from
        channel.send(json.dumps({"call": call["call"], "pid": os.getpid()}).encode())
        channel.close()
        end_first()
        stdin, stdout, stderr, source = descriptors
        for number, target in ((stdin, 0), (stdout, 1), (stderr, 2)):
            os.dup2(number, target)
            os.close(number)
        with os.fdopen(source, "rb") as file:
            text = file.read().decode()
        os.environ.update(call["env"])
        os.chdir(call["cwd"] or os.environ.get("HOME") or "/")
        reseed()
        code = run(text, call["name"])
    except BaseException:
        traceback.print_exc()
    finally:
        flush()
        os._exit(code)


def run(text, name):
    """As `python FILE` would: exit codes of sys.exit, tracebacks with the source's lines."""
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    sys.argv = [name]
    space = {"__name__": "__main__", "__builtins__": builtins, "__file__": name}
    sys.modules["__main__"].__dict__.update(space)
    try:
        exec(compile(text, name, "exec"), sys.modules["__main__"].__dict__)
    except SystemExit as ending:
        if ending.code is None:
            return 0
        if isinstance(ending.code, int):
            return ending.code & 0xFF
        print(ending.code, file=sys.stderr)
        return 1
    except BaseException as error:
        shown = error.__traceback__.tb_next if error.__traceback__ else None
        traceback.print_exception(type(error), error, shown)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def reseed():
    """A fork must not repeat what its siblings draw."""
    if "random" in sys.modules:
        sys.modules["random"].seed()
    if "numpy.random" in sys.modules:  # which newer versions load when it is first used, and seed then
        sys.modules["numpy.random"].seed()


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


main()
