"""One thread, one selector: readiness, timers, ended children and calls from helper threads."""

import heapq
import os
import selectors
import signal
import time


class Loop:
    def __init__(self):
        self._selector = selectors.DefaultSelector()
        self._watched = {}
        self._timers = []
        self._order = 0
        self._calls = []
        self._running = True
        self.on_child = lambda pid, status: None
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        self._wake = writing
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.watch(reading, read=lambda: self._woken(reading))

    def watch(self, file, read=None, write=None):
        """Calls back while `file` is ready; None for both stops. Callbacks replace those of before."""
        number = file if isinstance(file, int) else file.fileno()
        events = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
        known = number in self._watched
        if events == 0:
            if known:
                self._selector.unregister(number)
                del self._watched[number]
            return
        if known and self._watched[number][0] != events:
            self._selector.modify(number, events)
        elif not known:
            self._selector.register(number, events)
        self._watched[number] = (events, read, write)

    def later(self, seconds, call):
        """Calls once after so many seconds; the returned list is cancelled by emptying it."""
        entry = [call]
        self._order += 1
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._order, entry))
        return entry

    def from_thread(self, call):
        """Runs `call` in the loop's thread."""
        self._calls.append(call)
        try:
            os.write(self._wake, b"\0")
        except BlockingIOError:
            pass

    def stop(self):
        self._running = False

    def run(self):
        while self._running:
            timeout = None
            if self._timers:
                timeout = max(0.0, self._timers[0][0] - time.monotonic())
            for key, ready in self._selector.select(timeout):
                watched = self._watched.get(key.fd)
                if watched is None:
                    continue
                _, read, write = watched
                if ready & selectors.EVENT_READ and read:
                    read()
                if ready & selectors.EVENT_WRITE and self._watched.get(key.fd, (0, 0, None))[2] is write and write:
                    write()
            while self._timers and self._timers[0][0] <= time.monotonic():
                entry = heapq.heappop(self._timers)[2]
                if entry:
                    entry[0]()

    def _woken(self, reading):
        try:
            while os.read(reading, 4096):
                pass
        except BlockingIOError:
            pass
        while self._calls:
            self._calls.pop(0)()
        self._reap()

    def _reap(self):
        """Collects every child that has ended: those that were started here and every orphan of the sandbox."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.on_child(pid, status)
