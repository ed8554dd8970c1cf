/** The entry of the command line: does as little as it can before it knows what is asked. */
import { enableCompileCache } from 'node:module';

enableCompileCache();

const words = process.argv.slice(2);
if (words[0] === '--version' || words[0] === 'version') {
  const { VERSION } = await import('./version.ts');
  process.stdout.write(
    words.includes('--json') ? `${JSON.stringify({ version: VERSION })}\n` : `fumehood ${VERSION}\n`,
  );
} else {
  const { runCli } = await import('./run-cli.ts');
  process.exitCode = await runCli(words, process);
}
