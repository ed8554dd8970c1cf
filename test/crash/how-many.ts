/** At how many points the control plane is killed, half of them over each store: FUMEHOOD_CRASH_POINTS=1000 is the long mode. */
const POINTS = Number(process.env.FUMEHOOD_CRASH_POINTS ?? 100);

export const POINTS_A_STORE = Math.ceil(POINTS / 2);
export const SEED = Number(process.env.FUMEHOOD_CRASH_SEED ?? Date.now() % 1_000_000);
