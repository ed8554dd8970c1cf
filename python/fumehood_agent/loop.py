"""One thread, one epoll: readiness, timers, ended children and calls from helper threads."""

import _signal as signal
import os
import select
import time
from _heapq import heappop, heappush

READ = select.EPOLLIN
WRITE = select.EPOLLOUT


class Loop:
    def __init__(self):
        self._epoll = select.epoll()
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
        events = (READ if read else 0) | (WRITE if write else 0)
        known = self._watched.get(number)
        if events == 0:
            if known:
                self._epoll.unregister(number)
                del self._watched[number]
            return
        if known is None:
            self._epoll.register(number, events)
        elif known[0] != events:
            self._epoll.modify(number, events)
        self._watched[number] = (events, read, write)

    def later(self, seconds, call):
        """Calls once after so many seconds; the returned list is cancelled by emptying it."""
        entry = [call]
        self._order += 1
        heappush(self._timers, (time.monotonic() + seconds, self._order, entry))
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
            for number, ready in self._epoll.poll(timeout):
                watched = self._watched.get(number)
                if watched is None:
                    continue
                _, read, write = watched
                # An error or a hang-up is for both sides to find out.
                if ready & ~WRITE and read:
                    read()
                if ready & ~READ and write and self._watched.get(number, (0, 0, None))[2] is write:
                    write()
            while self._timers and self._timers[0][0] <= time.monotonic():
                entry = heappop(self._timers)[2]
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
