"""Before every attack: system calls by name, and one way to say what came of it. Exit code 0 and `succeeded`, 10 and `refused`; any other end is a broken script."""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
import traceback

_X64 = {"mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "ptrace": 101, "personality": 135, "init_module": 175, "finit_module": 313,
        "delete_module": 176, "kexec_load": 246, "reboot": 169, "settimeofday": 164, "swapon": 167, "swapoff": 168, "unshare": 272, "setns": 308, "clone": 56,
        "add_key": 248, "keyctl": 250, "name_to_handle_at": 303, "open_by_handle_at": 304, "process_vm_readv": 310, "perf_event_open": 298, "bpf": 321,
        "userfaultfd": 323, "execveat": 322, "memfd_create": 319, "capset": 126, "syslog": 103, "acct": 163, "quotactl": 179, "sethostname": 170, "kcmp": 312,
        "fanotify_init": 300, "mbind": 237, "socketpair": 53, "io_setup": 206, "setresuid": 117, "request_key": 249,
        "kexec_file_load": 320, "clock_settime": 227, "adjtimex": 159, "iopl": 172, "modify_ldt": 154, "process_vm_writev": 311, "move_pages": 279}
_ARM64 = {"mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "ptrace": 117, "personality": 92, "init_module": 105, "finit_module": 273,
          "delete_module": 106, "kexec_load": 104, "reboot": 142, "settimeofday": 170, "swapon": 224, "swapoff": 225, "unshare": 97, "setns": 268, "clone": 220,
          "add_key": 217, "keyctl": 219, "name_to_handle_at": 264, "open_by_handle_at": 265, "process_vm_readv": 270, "perf_event_open": 241, "bpf": 280,
          "userfaultfd": 282, "execveat": 281, "memfd_create": 279, "capset": 91, "syslog": 116, "acct": 89, "quotactl": 60, "sethostname": 161, "kcmp": 272,
          "fanotify_init": 262, "mbind": 235, "socketpair": 199, "io_setup": 0, "setresuid": 147, "request_key": 218,
          "kexec_file_load": 294, "clock_settime": 112, "adjtimex": 171, "process_vm_writev": 271, "move_pages": 239}
_BOTH = {"pidfd_open": 434, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "clone3": 435, "pidfd_getfd": 438,
         "mount_setattr": 442, "io_uring_setup": 425}
NUMBERS = {**(_X64 if platform.machine() == "x86_64" else _ARM64), **_BOTH}

AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000
NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
MS_RDONLY, MS_REMOUNT, MS_BIND, MNT_DETACH = 1, 32, 4096, 2
libc = ctypes.CDLL(None, use_errno=True)


def _end(outcome, why, code):
    sys.stdout.write("\n" + json.dumps({"outcome": outcome, "why": str(why)}) + "\n")
    sys.stdout.flush()
    os._exit(code)


def succeeded(why=""):
    _end("succeeded", why, 0)


def refused(why):
    _end("refused", why, 10)


def call(name, *args):
    """A system call by name or number; raises OSError."""
    kinds = {int: ctypes.c_long, bytes: ctypes.c_char_p}
    values = [kinds[type(arg)](arg) if type(arg) in kinds else ctypes.c_void_p(None) if arg is None else arg for arg in args]
    result = libc.syscall(ctypes.c_long(NUMBERS[name] if isinstance(name, str) else name), *values)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def mount(source, target, kind, flags=0, data=None):
    encode = lambda text: None if text is None else text.encode()
    call("mount", encode(source), encode(target), encode(kind), flags, encode(data))


def quietly(function, *args):
    """For steps that a refusal of must not hide the step that matters."""
    try:
        return function(*args)
    except OSError:
        return None


def past_the_check(name, *args):
    """A call that cannot act: whatever the kernel says but "not permitted" means that it would have acted on better arguments."""
    try:
        call(name, *args)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS):
            raise
        succeeded(errno.errorcode[error.errno])
    succeeded("done")


def each(items, attempt):
    """Tries all; the first that goes through is the success, the last refusal is the reason."""
    last = None
    for item in items:
        try:
            attempt(item)
            succeeded(item)
        except OSError as error:
            last = error
    raise last


def scratch(name="scratch"):
    path = f"/workspace/{name}"
    os.makedirs(path, exist_ok=True)
    return path


def listen_unix(name, hand_out=None):
    """Serves a Unix socket by path or abstract name from a thread (stages only); hands out a descriptor to whoever connects."""
    import threading
    server = socket.socket(socket.AF_UNIX)
    server.bind(name)
    server.listen(8)

    def work():
        while True:
            sock, _ = server.accept()
            if hand_out is None:
                sock.sendall(b"here\n")
            else:
                socket.send_fds(sock, [b"take"], [hand_out])
            sock.close()

    threading.Thread(target=work, daemon=True).start()


def in_child(function):
    """Runs a function in a child; its errno comes back as OSError, a signal as a refusal by its name."""
    pid = os.fork()
    if pid == 0:
        try:
            function()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
        except BaseException:
            traceback.print_exc()
            os._exit(255)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        refused(signal.Signals(os.WTERMSIG(status)).name)
    code = os.WEXITSTATUS(status)
    if code == 255:
        raise RuntimeError("the child broke")
    if code:
        raise OSError(code, os.strerror(code))


def add_address(address, interface="lo"):
    """Gives an IPv4 or IPv6 address to an interface (stages only)."""
    if ":" in address:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            fcntl.ioctl(sock, 0x8916, socket.inet_pton(socket.AF_INET6, address) + struct.pack("Ii", 128, socket.if_nametoindex(interface)))
        for _ in range(500):  # the kernel takes it up by and by
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
                if quietly(lambda: probe.bind((address, 0)) or True):
                    return
            time.sleep(0.01)
        raise OSError(errno.EADDRNOTAVAIL, "the address does not come up")
    add_address.count = getattr(add_address, "count", 0) + 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        name = f"{interface}:{add_address.count}".encode()
        fcntl.ioctl(sock, 0x8916, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address)))


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sH14x", b"lo", 1 | 64))


def serve_tcp(address, port, answer=b"here\n"):
    """Answers every connection from a thread of this process (stages only)."""
    import threading
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(8)

    def work():
        while True:
            sock, _ = server.accept()
            sock.sendall(answer)
            sock.close()

    threading.Thread(target=work, daemon=True).start()


def serve_udp(address, port):
    import threading
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, port))

    def work():
        while True:
            data, peer = server.recvfrom(2048)
            server.sendto(data, peer)

    threading.Thread(target=work, daemon=True).start()


def reach(host, port, timeout=1.0):
    """A TCP connection by whatever the C library makes of the name."""
    with socket.create_connection((host, port), timeout) as sock:
        sock.settimeout(timeout)
        return sock.recv(100)


def is_secret(path, dir_fd=None):
    number = os.open(path, os.O_RDONLY, dir_fd=dir_fd)
    try:
        return os.read(number, 100).startswith(b"canary-")
    finally:
        os.close(number)


def program(stage, script):
    names = globals()
    if stage:
        exec(compile(stage, "stage", "exec"), names)
    try:
        exec(compile(script, "attack", "exec"), names)
        refused("nothing")
    except OSError as error:
        if error.errno is None:
            refused("ETIMEDOUT" if isinstance(error, TimeoutError) else type(error).__name__)
        refused(errno.errorcode.get(error.errno, type(error).__name__))
    except MemoryError:
        refused("MemoryError")
