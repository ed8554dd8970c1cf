import type { Attack, Family } from '../attack.ts';

const EPERM = ['EPERM'];

const opensSocket = (name: string, family: string, kind: string, protocol: string, mayLack: string): Attack => ({
  name: `socket-${name}`,
  attempts: `opens a socket of a family that no sandbox needs (${mayLack})`,
  script: `socket.socket(${family}, ${kind}, ${protocol}).close(); succeeded()`,
  refusedBy: EPERM,
  control: 'privileged-container',
  mayLack,
});

const typesBy = (request: string): string => `
def inner():
    os.setsid()
    main, terminal = os.openpty()
    fcntl.ioctl(terminal, 0x540E, 0)
    if libc.ioctl(terminal, ctypes.c_ulong(${request}), ctypes.c_char_p(b"x")) != 0:
        raise OSError(ctypes.get_errno(), "TIOCSTI")
in_child(inner)
succeeded()`;

/** Parts of the kernel that a sandbox has no business with, each the home of past holes. */
export const kernelSurface: Family = {
  name: 'kernel-surface',
  title: 'kernel surface',
  attacks: [
    {
      name: 'bpf',
      attempts: 'loads a map into the kernel',
      script: `call("bpf", 0, struct.pack("IIIII", 2, 4, 8, 1, 0) + bytes(100), 120); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'perf-event-open',
      attempts: 'measures the kernel and its neighbours by performance counters',
      script: `call("perf_event_open", struct.pack("IIQ", 1, 112, 0) + bytes(96), 0, -1, -1, 0); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'userfaultfd',
      attempts: 'stops the kernel in the middle of its reads',
      script: `call("userfaultfd", 0); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
      mayLack: 'userfaultfd',
    },
    {
      name: 'io-uring',
      attempts: 'makes system calls that no filter sees',
      script: `call("io_uring_setup", 4, ctypes.create_string_buffer(120)); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
      mayLack: 'io_uring',
    },
    {
      name: 'keyctl',
      attempts: "reads the kernel's keyring",
      script: `call("keyctl", 0, -3, 1); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'add-key',
      attempts: "leaves something in the kernel's keyring for the next one",
      script: `call("add_key", b"user", b"escape", b"left", 4, -2); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'request-key',
      attempts: 'has the kernel run a program of the host to find a key',
      script: `
try:
    call("request_key", b"user", b"escape:none", None, 0)
except OSError as error:
    if error.errno != 126:  # ENOKEY: it was looked for
        raise
succeeded("the keyring was asked")`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'local-descriptor-table',
      attempts: 'changes the table of segments of its process, the home of old holes',
      script: `call("modify_ldt", 0, ctypes.create_string_buffer(64), 64) if platform.machine() == "x86_64" else refused("not this architecture"); succeeded()`,
      refusedBy: [...EPERM, 'not this architecture'],
      control: 'privileged-container',
      mayLack: 'a table of segments for each process',
    },
    {
      name: 'ports-of-the-machine',
      attempts: 'takes the right to speak to hardware by its ports',
      script: `in_child(lambda: call("iopl", 3)) if platform.machine() == "x86_64" else refused("not this architecture"); succeeded()`,
      refusedBy: [...EPERM, 'not this architecture'],
      control: 'privileged-container',
      mayLack: 'iopl(2)',
    },
    {
      name: 'open-by-handle-at',
      attempts: 'opens a file by its number, past every mount (shocker)',
      script: `
handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
where = ctypes.c_int(0)
if quietly(call, "name_to_handle_at", AT_FDCWD, b"/workspace", handle, ctypes.byref(where), 0) is None:
    handle = ctypes.create_string_buffer(struct.pack("IiII", 8, 1, 2, 0) + bytes(120))
call("open_by_handle_at", os.open("/workspace", os.O_RDONLY), handle, os.O_RDONLY)
succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'fanotify',
      attempts: 'watches what others open',
      script: `call("fanotify_init", 0, 0); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
      mayLack: 'fanotify',
    },
    {
      name: 'address-randomisation-off',
      attempts: 'turns off the randomisation of addresses for what it runs',
      script: `call("personality", 0x0040000); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'system-calls-of-32-bit',
      attempts: 'calls the kernel by its 32-bit entry, past a filter for 64 bits',
      script: `
if platform.machine() != "x86_64":
    refused("not this architecture")
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("b814000000cd80c3"))
entry = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
if entry() == os.getpid():
    succeeded()
refused("a wrong answer")`,
      refusedBy: ['SIGSYS'],
      control: 'privileged-container',
      mayLack: '32-bit system calls',
    },
    {
      name: 'system-calls-of-x32',
      attempts: 'calls the kernel by its x32 numbers',
      script: `
if platform.machine() != "x86_64":
    refused("not this architecture")
call(0x40000000 + 39)
succeeded()`,
      refusedBy: ['SIGSYS', 'EPERM'],
      control: 'privileged-container',
      mayLack: 'x32 system calls',
    },
    {
      name: 'terminal-injection',
      attempts: 'types into a terminal as if the user did (TIOCSTI)',
      script: typesBy('0x5412'),
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'terminal-injection-by-wide-request',
      attempts: 'the same with bits that the kernel ignores and a filter compares',
      script: typesBy('0x1_0000_5412'),
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    opensSocket('packet', 'socket.AF_PACKET', 'socket.SOCK_RAW', '0', 'packet sockets'),
    opensSocket('raw', 'socket.AF_INET', 'socket.SOCK_RAW', 'socket.IPPROTO_ICMP', 'raw sockets'),
    opensSocket('vsock', '40', 'socket.SOCK_STREAM', '0', 'AF_VSOCK'),
    opensSocket('alg', '38', 'socket.SOCK_SEQPACKET', '0', 'AF_ALG'),
    opensSocket('xdp', '44', 'socket.SOCK_RAW', '0', 'AF_XDP'),
    opensSocket('netlink-audit', '16', 'socket.SOCK_RAW', '9', 'the audit of the kernel'),
    opensSocket('netlink-netfilter', '16', 'socket.SOCK_RAW', '12', 'netfilter'),
    opensSocket('netlink-uevent', '16', 'socket.SOCK_RAW', '15', 'netlink of device events'),
    opensSocket('netlink-sock-diag', '16', 'socket.SOCK_RAW', '4', 'the list of all sockets'),
    opensSocket('netlink-xfrm', '16', 'socket.SOCK_RAW', '6', 'keys of IPsec'),
    opensSocket('netlink-generic', '16', 'socket.SOCK_RAW', '16', 'generic netlink'),
    opensSocket('key', '15', 'socket.SOCK_RAW', '2', 'PF_KEY'),
    opensSocket('can', '29', 'socket.SOCK_RAW', '1', 'AF_CAN'),
    opensSocket('bluetooth', '31', 'socket.SOCK_SEQPACKET', '0', 'AF_BLUETOOTH'),
    opensSocket('tipc', '30', 'socket.SOCK_SEQPACKET', '0', 'AF_TIPC'),
    opensSocket('rds', '21', 'socket.SOCK_SEQPACKET', '0', 'AF_RDS'),
    opensSocket('smc', '43', 'socket.SOCK_STREAM', '0', 'AF_SMC'),
    opensSocket('multipath-tcp', 'socket.AF_INET', 'socket.SOCK_STREAM', '262', 'multipath TCP'),
    opensSocket('udp-lite', 'socket.AF_INET6', 'socket.SOCK_DGRAM', '136', 'UDP-Lite'),
    opensSocket('sctp', 'socket.AF_INET', 'socket.SOCK_SEQPACKET', '132', 'SCTP'),
    opensSocket('sctp-by-its-type', 'socket.AF_INET', 'socket.SOCK_SEQPACKET', '0', 'SCTP'),
    opensSocket('dccp', 'socket.AF_INET', '6', '33', 'DCCP'),
    {
      name: 'socketpair-of-another-family',
      attempts: 'reaches the code of other families through socketpair(2), past a filter for socket(2)',
      script: `
try:
    call("socketpair", 16, socket.SOCK_RAW, 12, ctypes.create_string_buffer(8))
except OSError as error:
    if error.errno != errno.EOPNOTSUPP:
        raise
succeeded("the family was asked")`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
  ],
};
