import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#kernel/clock.ts';
import { randomIds } from '#kernel/ids.ts';
import { approvalsInForce } from '#src/approvals/approval-store.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { createDecider } from '#src/policies/decide.ts';
import type { Question, Subject } from '#src/policies/decision.ts';
import { openPolicies } from '#src/policies/open-policies.ts';
import { quantiles, type Row } from '../measure.ts';

const DECISIONS = 20_000;
const WARM_UP = 2_000;

/** One decision of the whole decider (input, default bundle, digest), in process. */
export async function measurePolicy(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-bench-'));
  const database = await openDatabase(`sqlite:${join(folder, 'state.db')}`);
  try {
    const registry = await openPolicies({ database, clock: systemClock });
    const usageOf = async () => ({});
    const decider = createDecider({ registry, clock: systemClock, ids: randomIds, approvalsInForce, usageOf });
    const subject: Subject = {
      type: 'sandbox',
      id: 'sb-1',
      user: 'erin',
      roles: ['engineer'],
      scopes: ['*'],
      purpose: '',
      labels: [],
    };
    const questions: Question[] = [
      { action: 'run.log', resource: 'run', object: { type: 'run', id: 'r1', owner: 'erin', labels: [] } },
    ];
    const samples: number[] = [];
    await database.read(async (reader) => {
      for (let at = -WARM_UP; at < DECISIONS; at += 1) {
        const started = process.hrtime.bigint();
        const decision = await decider.decide(reader, { subject, questions, requestId: 'req-1' });
        const us = Number(process.hrtime.bigint() - started) / 1000;
        if (!decision.allowed) throw new Error(`the decision was no: ${decision.reason}`);
        if (at >= 0) samples.push(us);
      }
    });
    const { median, p99 } = quantiles(samples);
    return [
      {
        what: 'policy decision, in process',
        value: median,
        unit: 'µs',
        p99,
        against: [],
        reach: '<= 20 µs',
        reached: median <= 20,
      },
    ];
  } finally {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
