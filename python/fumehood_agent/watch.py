"""Changes below a folder, through inotify; new folders are watched as they appear, and what is in them by then is told."""

import errno
import os
import struct

import kernel
import messages

MOST_FOLDERS = 4096
# What one folder that appeared may hold and still be told entry by entry.
MOST_FOUND = 10000


def watch(connection, message):
    Watch(connection, os.path.abspath(message["path"]))


class Watch:
    """One watch of one connection. What cannot be told is said to be missed: the host then looks by itself."""

    def __init__(self, connection, top):
        if not os.path.isdir(top):
            os.stat(top)
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), top)
        self._connection = connection
        self._descriptor = kernel.inotify_init()
        self._folders = {}
        self._top = top
        try:
            self._top_number = kernel.inotify_add(self._descriptor, top)
        except OSError:
            os.close(self._descriptor)
            raise
        self._folders[self._top_number] = top
        connection.on_lost = self._close
        connection.on_drain = self._read_on
        whole = self._watch_below(top)
        connection.reply({"ready": True})
        if not whole:
            self._tell(top, "missed")
        if not connection.closed:
            self._read_on()

    def _close(self):
        self._connection.loop.watch(self._descriptor)
        os.close(self._descriptor)

    def _read_on(self):
        self._connection.loop.watch(self._descriptor, read=self._ready)

    def _tell(self, path, kind):
        """When the host is behind, the kernel keeps what happens, and says so when it cannot."""
        if not self._connection.send(b"J", messages.encode({"change": {"path": path, "kind": kind}})) and not self._connection.closed:
            self._connection.loop.watch(self._descriptor)

    def _watch_below(self, folder, on_found=None):
        """Watches all folders below; false when some are not watched, or not all that is there was found."""
        found = 0
        for place, folders, files in os.walk(folder):
            for name in folders:
                path = os.path.join(place, name)
                if os.path.islink(path):
                    continue
                if not self._add(path):
                    return False
            if on_found is not None:
                for name in folders + files:
                    on_found(os.path.join(place, name))
                found += len(folders) + len(files)
                if found > MOST_FOUND:
                    return False
        return True

    def _add(self, folder):
        if len(self._folders) >= MOST_FOLDERS:
            return False
        try:
            self._folders[kernel.inotify_add(self._descriptor, folder)] = folder
        except OSError as error:
            # It has gone again, or is not for these eyes.
            return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES)
        return True

    def _ready(self):
        try:
            events = os.read(self._descriptor, 64 * 1024)
        except BlockingIOError:
            return
        at = 0
        while at + 16 <= len(events) and not self._connection.closed:
            number, mask, _, length = struct.unpack_from("iIII", events, at)
            name = events[at + 16 : at + 16 + length].rstrip(b"\0")
            at += 16 + length
            self._event(number, mask, os.fsdecode(name))

    def _event(self, number, mask, name):
        if mask & kernel.IN_Q_OVERFLOW:
            return self._tell(self._top, "missed")
        if mask & kernel.IN_IGNORED:
            self._folders.pop(number, None)
            if number == self._top_number:
                self._tell(self._top, "deleted")
                self._connection.end()
            return None
        folder = self._folders.get(number)
        if folder is None or not name:
            return None
        path = os.path.join(folder, name)
        if mask & kernel.IN_ISDIR and mask & kernel.IN_MOVED_FROM:
            self._forget(path)
        self._tell(path, _kind(mask))
        if mask & kernel.IN_ISDIR and mask & (kernel.IN_CREATE | kernel.IN_MOVED_TO):
            whole = self._add(path) and self._watch_below(path, lambda one: self._tell(one, "created"))
            if not whole:
                self._tell(path, "missed")
        return None

    def _forget(self, folder):
        """It lies elsewhere now, by another name or outside."""
        for number, path in list(self._folders.items()):
            if path == folder or path.startswith(folder + "/"):
                del self._folders[number]


def _kind(mask):
    if mask & (kernel.IN_DELETE | kernel.IN_MOVED_FROM):
        return "deleted"
    return "created" if mask & (kernel.IN_CREATE | kernel.IN_MOVED_TO) else "modified"
