"""Sealed network namespaces: `lo` up, no other interface, the doors' sockets listening. Pinned by a bind mount, so that they outlive this process."""

import fcntl
import os
import socket
import struct

from system import CLONE_NEWNET, MNT_DETACH, MS_BIND, mount, setns, umount, unshare

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def make(channel, request):
    """`path`: where to pin it; `ports`: door → port. Each request has a thread of its own, and a namespace belongs to a thread."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWNET)
        try:
            _loopback_up()
            os.close(os.open(request["path"], os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o600))
            mount("/proc/thread-self/ns/net", request["path"], None, MS_BIND)
            listeners = _bind(request["ports"])
        finally:
            setns(own, CLONE_NEWNET)
    finally:
        os.close(own)
    _hand_over(channel, request, listeners)
    return True


def listen(channel, request):
    """Opens the doors again in a namespace that outlived the control plane. Where its pin is gone, `pid`, a process in it, leads there, and pins it anew."""
    if not _is_pinned(request["path"]) and request.get("pid"):
        os.close(os.open(request["path"], os.O_CREAT | os.O_RDONLY, 0o600))
        mount(f"/proc/{request['pid']}/ns/net", request["path"], None, MS_BIND)
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    pinned = os.open(request["path"], os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(pinned, CLONE_NEWNET)
        try:
            listeners = _bind(request["ports"])
        finally:
            setns(own, CLONE_NEWNET)
    finally:
        os.close(pinned)
        os.close(own)
    _hand_over(channel, request, listeners)
    return True


def release(_channel, request):
    path = request["path"]
    while _is_pinned(path):
        umount(path, MNT_DETACH)
    if os.path.exists(path):
        os.unlink(path)
    return True


def _is_pinned(path):
    """Whether something is mounted there: it is on another device than its folder. The list of all mounts is long where many sandboxes are."""
    try:
        return os.lstat(path).st_dev != os.lstat(os.path.dirname(path)).st_dev
    except FileNotFoundError:
        return False


def _loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        name = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack_from("16sH", fcntl.ioctl(sock, SIOCGIFFLAGS, name))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def _bind(ports):
    listeners = {}
    for door, port in ports.items():
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(256)
        listeners[door] = sock
    return listeners


def _hand_over(channel, request, listeners):
    for door, sock in listeners.items():
        channel.send_socket(sock, {"id": request["id"], "door": door})
