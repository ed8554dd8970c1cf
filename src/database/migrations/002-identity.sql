create table users (
  name text primary key,
  roles text not null,
  team text not null,
  disabled smallint not null,
  created_ms bigint not null,
  -- A deleted user's name stays taken, so that nobody inherits what it owned.
  deleted_ms bigint
);

create table tokens (
  id text primary key,
  -- SHA-256 of the token, hex: the token itself is nowhere.
  hash text not null unique,
  user_name text not null references users (name),
  name text not null,
  scopes text not null,
  created_ms bigint not null,
  expires_ms bigint,
  revoked_ms bigint,
  last_used_ms bigint
);
create index tokens_user on tokens (user_name, id);
