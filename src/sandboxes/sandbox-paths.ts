/** How a request names a sandbox and a path in it. */
import { z } from 'zod';

export const Ref = z.object({ id: z.string().min(1).max(128) });

/** Resolved inside the wall by the agent. */
export const FilePath = z.object({
  path: z
    .string()
    .min(1)
    .max(4096)
    .refine((path) => !path.includes('\0'), 'no NUL'),
});
