import { z } from 'zod';

/** A reason against a request, as the default bundle gives it: `hint` names the command that would change the answer. */
export const Reason = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  /** True when an approval would change the answer. */
  approvable: z.boolean().optional(),
});
export type Reason = z.infer<typeof Reason>;

export const Reasons = z.array(Reason);
