"""Overwrites with zeros all memory of one GPU that a program can have: `clear_gpu.py LIBCUDA UUID`. Prints how many bytes. Ends with a message when the
driver refuses anything, or when less than nearly all that it calls free could be had."""

import ctypes
import sys

LARGEST, SMALLEST = 1 << 34, 1 << 21
OUT_OF_MEMORY = 2
# What the driver keeps for its own books of the allocations.
MOST_LEFT = 256 << 20


def main(library, uuid):
    cuda = ctypes.CDLL(library)

    def call(name, *arguments):
        result = getattr(cuda, name)(*arguments)
        if result != 0:
            raise SystemExit(f"{name} answered {result}")

    call("cuInit", 0)
    device, context = ctypes.c_int(), ctypes.c_void_p()
    call("cuDeviceGet", ctypes.byref(device), 0)
    found = (ctypes.c_ubyte * 16)()
    call("cuDeviceGetUuid", ctypes.byref(found), device)
    if bytes(found).hex() != uuid.removeprefix("GPU-").replace("-", ""):
        raise SystemExit(f"another GPU answered: {bytes(found).hex()}")
    call("cuCtxCreate_v2", ctypes.byref(context), 0, device)
    free, total, cleared = ctypes.c_size_t(), ctypes.c_size_t(), 0
    call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    size = LARGEST
    while size >= SMALLEST:
        at = ctypes.c_uint64()
        result = cuda.cuMemAlloc_v2(ctypes.byref(at), ctypes.c_size_t(size))
        if result == OUT_OF_MEMORY:
            size //= 2
            continue
        if result != 0:
            raise SystemExit(f"cuMemAlloc_v2 answered {result}")
        call("cuMemsetD8_v2", at, ctypes.c_ubyte(0), ctypes.c_size_t(size))
        cleared += size
    call("cuCtxSynchronize")
    if cleared + MOST_LEFT < free.value:
        raise SystemExit(f"only {cleared} of {free.value} free bytes could be had")
    call("cuCtxDestroy_v2", context)
    print(cleared)


main(*sys.argv[1:])
