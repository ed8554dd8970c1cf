create table sandboxes (
  id text primary key,
  name text not null,
  owner text not null,
  team text not null,
  roles text not null,
  state text not null,
  spec text not null,
  handle text,
  created_ms bigint not null,
  started_ms bigint,
  ended_ms bigint,
  expires_ms bigint not null,
  idle_ms bigint not null,
  last_active_ms bigint not null,
  reason text not null
);
create index sandboxes_state on sandboxes (state);
create index sandboxes_owner on sandboxes (owner, name);

create table sandbox_events (
  sandbox_id text not null,
  position bigint not null,
  at_ms bigint not null,
  kind text not null,
  message text not null,
  primary key (sandbox_id, position)
);
