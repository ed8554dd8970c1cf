"""What the kernel has of a slot that takes a look at everything to find: done here, so that the control plane goes on meanwhile."""

import os


def look(_channel, request):
    """`firstId`, `size`: a range of user ids, or null; `image`: the path of a workspace. Answers process ids and names of loop devices."""
    first = request["firstId"]
    return {"processes": [] if first is None else _processes(range(first, first + request["size"])), "loops": _loops(request["image"])}


def _processes(users):
    """A zombie only waits to be counted by its parent."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        fields = {}
        for line in _lines(f"/proc/{name}/status"):
            key, _, value = line.partition(b":")
            if key in (b"State", b"Uid"):
                fields[key] = value.split()[0]
            if key == b"Uid":
                break
        if b"Uid" in fields and int(fields[b"Uid"]) in users and fields.get(b"State") not in (b"Z", b"X"):
            found.append(int(name))
    return found


def _loops(image):
    """Also when the file was removed, which the kernel then writes behind its name."""
    backing = ((name, b"".join(_lines(f"/sys/block/{name}/loop/backing_file"))) for name in os.listdir("/sys/block") if name.startswith("loop"))
    return [f"/dev/{name} ({os.fsdecode(file).strip()})" for name, file in backing if file.startswith(os.fsencode(image))]


def _lines(path):
    """Nothing of what has gone in the meantime."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        return os.read(number, 4096).split(b"\n")
    except OSError:
        return []
    finally:
        os.close(number)
