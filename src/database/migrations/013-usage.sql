create table quotas (
  -- user or team
  scope text not null,
  name text not null,
  limits text not null,
  set_by text not null,
  set_ms bigint not null,
  primary key (scope, name)
);

create table quota_reservations (
  sandbox_id text primary key,
  user_name text not null,
  team text not null,
  sandboxes bigint not null,
  cpus double precision not null,
  memory_bytes bigint not null,
  disk_bytes bigint not null,
  gpus bigint not null
);
create index quota_reservations_user on quota_reservations (user_name);
create index quota_reservations_team on quota_reservations (team);

-- One row a user and a team that ever reserved: taken for writing first, so that admissions of one team follow each other.
create table quota_locks (
  scope text not null,
  name text not null,
  touched bigint not null,
  primary key (scope, name)
);
