"""Changes below a folder, through inotify; new folders are watched as they appear."""

import os
import struct

import kernel

MOST_FOLDERS = 4096


def watch(connection, message):
    top = message["path"]
    descriptor = kernel.inotify_init()
    folders = {}

    def add(folder):
        if len(folders) < MOST_FOLDERS:
            try:
                folders[kernel.inotify_add(descriptor, folder)] = folder
            except OSError:
                if folder == top:
                    raise

    def close():
        connection.loop.watch(descriptor)
        os.close(descriptor)

    try:
        add(top)
        for folder, names, _ in os.walk(top):
            for name in names:
                add(os.path.join(folder, name))
    except OSError:
        os.close(descriptor)
        raise

    def ready():
        try:
            events = os.read(descriptor, 64 * 1024)
        except BlockingIOError:
            return
        at = 0
        while at + 16 <= len(events):
            number, mask, _, length = struct.unpack_from("iIII", events, at)
            name = events[at + 16 : at + 16 + length].rstrip(b"\0")
            at += 16 + length
            folder = folders.get(number)
            if folder is None or not name:
                continue
            path = os.path.join(folder, os.fsdecode(name))
            if mask & kernel.IN_ISDIR and mask & (kernel.IN_CREATE | kernel.IN_MOVED_TO):
                add(path)
            connection.reply({"change": {"path": path, "kind": _kind(mask)}})

    connection.on_lost = close
    connection.loop.watch(descriptor, read=ready)
    connection.reply({"ready": True})


def _kind(mask):
    if mask & (kernel.IN_DELETE | kernel.IN_MOVED_FROM):
        return "deleted"
    return "created" if mask & (kernel.IN_CREATE | kernel.IN_MOVED_TO) else "modified"
