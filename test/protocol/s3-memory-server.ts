/** The S3 door in a process of its own, so that its memory can be measured: prints the URL of its sandbox side. */
import { startS3 } from './s3-server.ts';

const server = await startS3();
process.stdout.write(`${server.inside}\n`);
process.stdin.resume();
process.stdin.once('end', () => void server.close().then(() => process.exit(0)));
