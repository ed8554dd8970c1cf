import {
  type Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream';
import { AppError } from '#kernel/errors.ts';
import { headersForApp, headersFromApp } from './forward-headers.ts';
import type { Site } from './site-address.ts';

type Exchange = { request: IncomingMessage; response: ServerResponse; site: Site; agent: Agent };

/**
 * Passes one request into a sandbox and its answer back, at the pace of the slower side. Rejects when no answer came. What may not be
 * asked twice goes over a connection of its own: a kept one may end just as it is used again.
 */
export async function forwardRequest(exchange: Exchange): Promise<void> {
  const { request } = exchange;
  const bodiless =
    request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined;
  const repeatable = bodiless && (request.method === 'GET' || request.method === 'HEAD');
  try {
    await forwardOnce(exchange, repeatable);
  } catch (thrown) {
    if (!repeatable || !(thrown instanceof Reused)) throw noAnswer(thrown);
    await forwardOnce(exchange, false).catch((again) => {
      throw noAnswer(again);
    });
  }
}

class Reused extends Error {}

function forwardOnce({ request, response, site, agent }: Exchange, mayRepeat: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const inner: ClientRequest = httpRequest({
      ...(mayRepeat ? { agent } : { createConnection: (options, done) => agent.createConnection(options, done) }),
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers: headersForApp(request, site),
      setHost: false,
    });
    let answered = false;
    const fail = (error: Error): void => {
      if (answered) response.destroy();
      else reject(mayRepeat && inner.reusedSocket ? new Reused(error.message) : error);
    };
    // Once all of the answer is out, the connection is the agent's again.
    const gone = (): void => {
      if (!response.writableFinished) inner.destroy();
    };
    response.once('close', gone);
    inner.once('error', fail);
    inner.once('response', (answer) => {
      answered = true;
      response.writeHead(answer.statusCode ?? 502, headersFromApp(answer, site));
      pipeline(answer, response, () => {
        response.off('close', gone);
        if (!mayRepeat) inner.destroy();
        resolve();
      });
    });
    if (mayRepeat) inner.end();
    else pipeline(request, inner, () => undefined);
  });
}

function noAnswer(thrown: unknown): AppError {
  if (thrown instanceof AppError && thrown.code === 'denied') return thrown;
  return new AppError('unavailable', 'Nothing answers at this port of the sandbox.', {
    details: {
      hint: 'Start what should listen there, on 127.0.0.1; JupyterLab is started by "fumehood sandbox open".',
    },
    cause: thrown,
  });
}
