import assert from 'node:assert/strict';
import { describe } from 'node:test';
import fc from 'fast-check';
import { parseFilter, parseOrder } from '#kernel/filter.ts';
import { parseByteSize, parseDuration } from '#kernel/quantities.ts';
import { checkPath as checkDatasetPath } from '#src/datasets/dataset.ts';
import {
  double,
  integer,
  limit,
  objects,
  offsetOf,
  pairs,
  requiredText,
  text,
  texts,
} from '#src/doors/mlflow/input.ts';
import { parseGoDuration } from '#src/doors/vault/go-duration.ts';
import { matchRoute, splitTarget } from '#src/doors/vault/match-route.ts';
import { cookieFromApp, cookiesForApp } from '#src/gateway/sites/site-cookie.ts';
import { decodeCursor, encodeCursor } from '#src/http/page.ts';
import { parseJson, queryObject } from '#src/http/parse-request.ts';
import { hashToken, looksLikeToken } from '#src/identity/token.ts';
import { checkPath, checkPrefix } from '#src/secrets/secret.ts';
import { stagesOf } from '#src/tracking/run-order-sql.ts';
import { readPageToken, writePageToken } from '#src/tracking/run-page-token.ts';
import { conditionSql } from '#src/tracking/run-search-sql.ts';
import { hostileText, taken, target } from './target.ts';

describe('fuzzing of grammars, names and numbers', () => {
  target(
    'a filter and an order of a search are read or refused, also as SQL',
    hostileText(
      'metrics.',
      'params.',
      'tags.',
      'attributes.',
      'datasets.',
      '`',
      "'",
      '"',
      '\\',
      ' = ',
      ' AND ',
      ' LIKE ',
      ' IN (',
      ')',
      ',',
      ' IS NULL',
      '1',
      '1e999',
      '-',
      '.',
      ' DESC',
    ),
    (filter) => {
      const conditions = taken(() => parseFilter(filter));
      for (const condition of conditions ?? []) taken(() => conditionSql(condition));
      const order = taken(() => parseOrder(filter));
      if (order !== undefined) taken(() => stagesOf(order, conditions ?? []));
    },
    { quick: 2000 },
  );

  target(
    'a filter of one quote after the other is read at once',
    fc.tuple(fc.constantFrom("\\'", "''", "\\''", "\\'''", '"', '``'), fc.nat(3000)),
    ([unit, count]) => {
      taken(() => parseFilter(`params.a = '${unit.repeat(count)}`));
      taken(() => parseFilter(`params.a = '${unit.repeat(count)}'`));
    },
    { quick: 100, share: 0.01 },
  );

  target(
    'a token of a page is what was written, or refused',
    fc.oneof(
      hostileText('{', '"offset"', ':', '1', '}'),
      fc.base64String(),
      fc.json().map((json) => Buffer.from(json).toString('base64')),
    ),
    (token) => {
      const read = taken(() => readPageToken(token));
      if (read !== undefined) assert.deepEqual(readPageToken(writePageToken(read)), read);
      taken(() => offsetOf(token));
      const cursor = taken(() => decodeCursor(token));
      if (cursor !== undefined) assert.deepEqual(decodeCursor(encodeCursor(cursor)), cursor);
    },
  );

  target(
    'paths of secrets and files name one place, or are refused',
    hostileText('a', '/', '..', '.', '//', ' '),
    (path) => {
      const secret = taken(() => checkPath(path));
      if (secret !== undefined)
        assert.ok(!secret.split('/').some((part) => part === '' || part === '.' || part === '..'), secret);
      taken(() => checkPrefix(path));
      const file = taken(() => {
        checkDatasetPath(path);
        return path;
      });
      if (file !== undefined)
        assert.ok(!file.startsWith('/') && !file.split('/').some((part) => part === '..' || part === ''), file);
    },
  );

  target(
    'targets of requests are cut into segments or refused',
    hostileText('/v1/', 'secret/', 'data/', '?', 'list=true', '%2F', '%', '%c0'),
    (request) => {
      const split = taken(() => splitTarget(request));
      if (split === undefined) return;
      const routes = [
        { method: 'GET', path: '/v1/secret/data/*path' },
        { method: 'GET', path: '/v1/:mount/config' },
      ];
      matchRoute(routes, 'GET', split.segments);
      queryObject(split.query);
    },
  );

  target(
    'spans of time and sizes are numbers, or refused',
    hostileText('1', 'h', 'm', 's', '.', '5', 'd', 'GiB', 'k', 'e9', '-', ' '),
    (words) => {
      for (const parse of [parseGoDuration, parseDuration, parseByteSize]) {
        const value = taken(() => parse(words));
        if (value !== undefined) assert.ok(Number.isFinite(value) && value >= 0, `${words}: ${value}`);
      }
    },
  );

  target(
    'a JSON body is read or refused, whatever stands where a text, number or list is due',
    fc.oneof(
      fc.object({ maxDepth: 2 }),
      fc.dictionary(fc.constantFrom('a', 'b'), fc.oneof(fc.anything(), fc.double(), fc.bigInt().map(String))),
    ),
    (input) => {
      for (const field of ['a', 'b', '__proto__', 'constructor', 'toString']) {
        taken(() => text(input, field));
        taken(() => requiredText(input, field));
        const whole = taken(() => integer(input, field));
        if (whole !== undefined) assert.ok(Number.isInteger(whole), String(whole));
        taken(() => double(input, field));
        taken(() => objects(input, field));
        taken(() => texts(input, field));
        taken(() => pairs(input, field));
      }
      taken(() => limit(input, 100, 1000));
    },
  );

  target(
    'bytes of a JSON body are read or refused',
    fc.tuple(
      fc.constantFrom('application/json', 'text/plain', undefined, 'application/json; charset=utf-16'),
      fc.uint8Array({ maxLength: 64 }),
    ),
    ([type, bytes]) => {
      taken(() => parseJson(type, Buffer.from(bytes)));
    },
  );

  target(
    'tokens and cookies are told from anything else',
    hostileText('fh_', 'a'.repeat(43), ';', '=', ' ', '__Host-', 'fumehood', 'Path=/', 'Domain=x'),
    (words) => {
      if (looksLikeToken(words)) assert.equal(hashToken(words).length, 64);
      const forApp = cookiesForApp(words);
      if (forApp !== undefined) assert.ok(!/[\r\n]/.test(forApp) || /[\r\n]/.test(words));
      cookieFromApp(words);
    },
  );
});
