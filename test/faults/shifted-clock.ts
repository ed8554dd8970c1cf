/** Preloaded into a control plane under test (`node --import`): its wall clock is that of the host plus the milliseconds in a file. */
import { readFileSync } from 'node:fs';

const { SHIFTED_CLOCK_FILE: file = '' } = process.env;
const LOOK_EVERY_MS = 20;
const RealDate = Date;
const realNow = Date.now;
let lookedMs = Number.NEGATIVE_INFINITY;
let shiftMs = 0;

function now(): number {
  const steady = performance.now();
  if (steady - lookedMs > LOOK_EVERY_MS) {
    lookedMs = steady;
    shiftMs = Number(readFileSync(file, 'utf8')) || 0;
  }
  return realNow() + shiftMs;
}

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [now()] : args, self),
  get: (target, name, self) => (name === 'now' ? now : Reflect.get(target, name, self)),
});
