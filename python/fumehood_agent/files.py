"""File operations inside the wall: a path is whatever it is for a process of the sandbox, links and all."""

import errno
import os
import stat

CHUNK = 128 * 1024


def code_of(error):
    return errno.errorcode.get(error.errno, "EIO")


def _kind(mode):
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "symlink" if stat.S_ISLNK(mode) else "other"


def _info(name, status):
    return {"name": name, "kind": _kind(status.st_mode), "sizeBytes": status.st_size, "mode": stat.S_IMODE(status.st_mode), "modifiedMs": int(status.st_mtime * 1000)}


def _open_regular(path, flags):
    """Opens without waiting for a FIFO's other end, and refuses everything that is no regular file."""
    number = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return number


def read(connection, message):
    number = _open_regular(message["path"], os.O_RDONLY)
    state = {"open": True}

    def close():
        if state["open"]:
            state["open"] = False
            os.close(number)

    def pump():
        while state["open"]:
            try:
                data = os.read(number, CHUNK)
            except OSError as error:
                close()
                return connection.fail(code_of(error), error.strerror)
            ready = connection.send(b"O", data)
            if not data:
                close()
                connection.reply({"ok": True})
                return connection.end()
            if not ready:
                return None

    connection.on_drain = pump
    connection.on_lost = close
    pump()


def write(connection, message):
    """Into a new file beside the old one, renamed when all has come: a reader sees the old or the new, never half."""
    path = message["path"]
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name[:100]}.{os.urandom(8).hex()}")
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    state = {"open": True, "size": 0}

    def give_up():
        if state["open"]:
            state["open"] = False
            os.close(number)
            os.unlink(temporary)

    def data(payload):
        if not state["open"]:
            return
        try:
            if payload:
                view = memoryview(payload)
                while view:
                    view = view[os.write(number, view) :]
                state["size"] += len(payload)
                return
            os.fchmod(number, message.get("mode", 0o644))
            os.rename(temporary, path)
            state["open"] = False
            os.close(number)
            connection.reply({"ok": {"sizeBytes": state["size"]}})
            connection.end()
        except OSError as error:
            give_up()
            connection.fail(code_of(error), error.strerror)

    connection.on_data = data
    connection.on_lost = give_up
    connection.reply({"ready": True})


def list_folder(connection, message):
    infos = []
    with os.scandir(message["path"]) as entries:
        for entry in entries:
            try:
                infos.append(_info(entry.name, entry.stat(follow_symlinks=False)))
            except OSError:
                continue
    infos.sort(key=lambda info: info["name"])
    for start in range(0, len(infos), 200):
        connection.reply({"part": infos[start : start + 200]})
    connection.reply({"ok": len(infos)})
    connection.end()


def stat_path(connection, message):
    path = message["path"]
    connection.reply({"ok": _info(os.path.basename(path), os.stat(path))})
    connection.end()


def remove(connection, message):
    """In a thread of its own: a large folder takes its time."""
    import shutil
    import threading

    path, recursive = message["path"], message.get("recursive", False)

    def work():
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path) if recursive else os.rmdir(path)
            else:
                os.unlink(path)
            outcome = None
        except OSError as error:
            outcome = error
        connection.loop.from_thread(lambda: done(outcome))

    def done(error):
        if error is not None:
            return connection.fail(code_of(error), error.strerror)
        connection.reply({"ok": True})
        connection.end()

    threading.Thread(target=work, daemon=True).start()


def make_directory(connection, message):
    os.makedirs(message["path"], exist_ok=True)
    connection.reply({"ok": True})
    connection.end()


def watch_folder(connection, message):
    import watch

    watch.watch(connection, message)


OPERATIONS = {"read": read, "write": write, "list": list_folder, "stat": stat_path, "remove": remove, "mkdir": make_directory, "watch": watch_folder}
