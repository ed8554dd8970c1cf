# The driver's interface of CUDA through ctypes, for attacks on a GPU's memory: no package is needed.
import ctypes
import os

KERNELS = b"""
.version 7.0
.target sm_70
.address_size 64
.extern .shared .align 4 .b8 shared[];

// found[0] += words that equal the pattern, found[1] += words that are not zero
.visible .entry count(.param .u64 base, .param .u64 words, .param .u64 found, .param .u32 pattern)
{
  .reg .pred %p<4>;
  .reg .b32 %r<8>;
  .reg .b64 %d<10>;
  ld.param.u64 %d1, [base];
  ld.param.u64 %d2, [words];
  ld.param.u64 %d3, [found];
  ld.param.u32 %r1, [pattern];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mov.u32 %r5, %nctaid.x;
  mul.wide.u32 %d4, %r2, %r3;
  cvt.u64.u32 %d5, %r4;
  add.u64 %d4, %d4, %d5;
  mul.wide.u32 %d5, %r5, %r3;
  mov.u64 %d7, 0;
  mov.u64 %d8, 0;
LOOP:
  setp.ge.u64 %p1, %d4, %d2;
  @%p1 bra DONE;
  shl.b64 %d6, %d4, 2;
  add.u64 %d6, %d6, %d1;
  ld.global.u32 %r6, [%d6];
  setp.eq.u32 %p2, %r6, %r1;
  @%p2 add.u64 %d7, %d7, 1;
  setp.ne.u32 %p3, %r6, 0;
  @%p3 add.u64 %d8, %d8, 1;
  add.u64 %d4, %d4, %d5;
  bra LOOP;
DONE:
  red.global.add.u64 [%d3], %d7;
  red.global.add.u64 [%d3+8], %d8;
  ret;
}

// Every word of the block's shared memory becomes the pattern.
.visible .entry fill_shared(.param .u32 words, .param .u32 pattern)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  ld.param.u32 %r1, [words];
  ld.param.u32 %r2, [pattern];
  mov.u32 %r3, %tid.x;
  mov.u32 %r4, %ntid.x;
  mov.u32 %r6, shared;
LOOP:
  setp.ge.u32 %p1, %r3, %r1;
  @%p1 bra DONE;
  shl.b32 %r5, %r3, 2;
  add.u32 %r5, %r5, %r6;
  st.volatile.shared.u32 [%r5], %r2;
  add.u32 %r3, %r3, %r4;
  bra LOOP;
DONE:
  bar.sync 0;
  ret;
}

// The same count as above of the block's shared memory, which nobody has written to.
.visible .entry count_shared(.param .u32 words, .param .u64 found, .param .u32 pattern)
{
  .reg .pred %p<4>;
  .reg .b32 %r<10>;
  .reg .b64 %d<6>;
  ld.param.u32 %r1, [words];
  ld.param.u64 %d1, [found];
  ld.param.u32 %r2, [pattern];
  mov.u32 %r3, %tid.x;
  mov.u32 %r4, %ntid.x;
  mov.u32 %r7, shared;
  mov.u64 %d2, 0;
  mov.u64 %d3, 0;
LOOP:
  setp.ge.u32 %p1, %r3, %r1;
  @%p1 bra DONE;
  shl.b32 %r5, %r3, 2;
  add.u32 %r5, %r5, %r7;
  ld.volatile.shared.u32 %r6, [%r5];
  setp.eq.u32 %p2, %r6, %r2;
  @%p2 add.u64 %d2, %d2, 1;
  setp.ne.u32 %p3, %r6, 0;
  @%p3 add.u64 %d3, %d3, 1;
  add.u32 %r3, %r3, %r4;
  bra LOOP;
DONE:
  red.global.add.u64 [%d1], %d2;
  red.global.add.u64 [%d1+8], %d3;
  ret;
}
"""

OUT_OF_MEMORY = 2
LARGEST, SMALLEST = 1 << 34, 1 << 21
BLOCKS, THREADS, SHARED_BYTES = 4096, 256, 48 * 1024
PATTERN = 0xC0DEFACE


class CudaError(Exception):
    pass


class Cuda:
    """A context on the first GPU that is there."""

    def __init__(self):
        self.api = ctypes.CDLL("libcuda.so.1")
        self.call("cuInit", 0)
        device, self.context, module = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuCtxCreate_v2", ctypes.byref(self.context), 0, device)
        self.call("cuModuleLoadData", ctypes.byref(module), KERNELS)
        self.kernels = {}
        for name in ("count", "fill_shared", "count_shared"):
            self.kernels[name] = ctypes.c_void_p()
            self.call("cuModuleGetFunction", ctypes.byref(self.kernels[name]), module, name.encode())
        self.found = self.allocate(16)

    def call(self, name, *arguments):
        result = getattr(self.api, name)(*arguments)
        if result != 0:
            raise CudaError(f"{name} answered {result}")

    def allocate(self, size):
        """Memory as the driver gives it; None when there is not so much."""
        at = ctypes.c_uint64()
        result = self.api.cuMemAlloc_v2(ctypes.byref(at), ctypes.c_size_t(size))
        if result == OUT_OF_MEMORY:
            return None
        if result != 0:
            raise CudaError(f"cuMemAlloc_v2 answered {result}")
        return at

    def allocate_all(self):
        """All memory that can be had, as pairs of address and size."""
        got, size = [], LARGEST
        while size >= SMALLEST:
            at = self.allocate(size)
            if at is None:
                size //= 2
            else:
                got.append((at, size))
        return got

    def free(self, at):
        self.call("cuMemFree_v2", at)

    def fill(self, at, size, pattern=PATTERN):
        self.call("cuMemsetD32_v2", at, ctypes.c_uint32(pattern), ctypes.c_size_t(size // 4))
        self.call("cuCtxSynchronize")

    def _launch(self, name, shared, *arguments):
        self.call("cuMemsetD8_v2", self.found, ctypes.c_ubyte(0), ctypes.c_size_t(16))
        places = (ctypes.c_void_p * len(arguments))(*(ctypes.addressof(one) for one in arguments))
        self.call("cuLaunchKernel", self.kernels[name], BLOCKS, 1, 1, THREADS, 1, 1, shared, None, places, None)
        self.call("cuCtxSynchronize")
        counts = (ctypes.c_uint64 * 2)()
        self.call("cuMemcpyDtoH_v2", counts, self.found, ctypes.c_size_t(16))
        return list(counts)

    def count(self, at, size, pattern=PATTERN):
        """Words that equal the pattern, and words that are not zero."""
        return self._launch("count", 0, at, ctypes.c_uint64(size // 4), self.found, ctypes.c_uint32(pattern))

    def fill_shared(self, pattern=PATTERN):
        self._launch("fill_shared", SHARED_BYTES, ctypes.c_uint32(SHARED_BYTES // 4), ctypes.c_uint32(pattern))

    def count_shared(self, pattern=PATTERN):
        return self._launch("count_shared", SHARED_BYTES, ctypes.c_uint32(SHARED_BYTES // 4), self.found, ctypes.c_uint32(pattern))
