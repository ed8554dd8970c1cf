/** The noun: a person who may use this control plane. */
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import type { PolicyObject } from '#src/policies/decision.ts';

export const ROLES = ['engineer', 'operator', 'officer'] as const;
export const Role = z.enum(ROLES);
export type Role = z.infer<typeof Role>;

export const UserName = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/,
    'lower-case letters, digits, dots, dashes and underscores, at most 63',
  );

export const TeamName = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, 'a word of at most 63 letters');

export const DEFAULT_TEAM = 'default';

/** A user; times in ms. A deleted one keeps its name for ever. */
export type User = {
  name: string;
  roles: Role[];
  team: string;
  disabled: boolean;
  createdMs: number;
  deletedMs: number | null;
};

/** Whether the user may act at all. */
export const isActive = (user: User): boolean => !user.disabled && user.deletedMs === null;

/** The user as policy sees it. */
export const userObject = (name: string, more: Record<string, unknown> = {}): PolicyObject => ({
  type: 'user',
  id: name,
  name,
  owner: name,
  labels: [],
  ...more,
});

export const UserView = z.object({
  name: z.string(),
  roles: z.array(Role),
  team: z.string(),
  disabled: z.boolean(),
  createdAt: z.string(),
});
export type UserView = z.infer<typeof UserView>;

/** The user as the API shows it; times as ISO 8601. */
export const viewUser = (user: User): UserView => ({
  name: user.name,
  roles: user.roles,
  team: user.team,
  disabled: user.disabled,
  createdAt: new Date(user.createdMs).toISOString(),
});

export const noSuchUser = (name: string): AppError =>
  new AppError('not_found', `There is no user "${name}".`, { details: { hint: 'See "fumehood user list".' } });
