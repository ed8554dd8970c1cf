/** What was opened, to be closed in the opposite order: at the end, or when a start fails half-way. */
export type Ending = {
  /** Something was opened, and this closes it. */
  add(close: () => unknown): void;
  /** Closes all, also past what fails; then throws the first failure. */
  run(): Promise<void>;
};

export function createEnding(): Ending {
  const steps: (() => unknown)[] = [];
  return {
    add: (close) => void steps.push(close),
    run: async () => {
      const failures: unknown[] = [];
      for (let close = steps.pop(); close !== undefined; close = steps.pop()) {
        try {
          await close();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
