/** A client in a process of its own, so that it can be put into a network namespace: times requests over one kept connection, then one long answer. */
import { Agent, request } from 'node:http';

type Job = { port: number; headers: Record<string, string>; rounds: number; bytes: number };

const job = JSON.parse(process.argv[2] ?? '{}') as Job;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** One GET; resolves to the bytes of its body. */
function get(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: job.port, path, headers: job.headers, agent }, (answer) => {
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      answer.once('error', reject);
      answer.once('end', () =>
        answer.statusCode === 200 ? resolve(bytes) : reject(new Error(`${answer.statusCode}`)),
      );
    });
    sent.once('error', reject);
    sent.end();
  });
}

const samples: number[] = [];
for (let round = -50; round < job.rounds; round += 1) {
  const started = performance.now();
  await get('/bytes/100');
  if (round >= 0) samples.push(performance.now() - started);
}
const started = performance.now();
const bytes = await get(`/bytes/${job.bytes}`);
const seconds = (performance.now() - started) / 1000;
if (bytes !== job.bytes) throw new Error(`${bytes} of ${job.bytes} bytes came`);
agent.destroy();
process.stdout.write(JSON.stringify({ samples, bytesPerSecond: bytes / seconds }));
