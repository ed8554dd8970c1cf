create table policy_bundles (
  digest text primary key,
  kind text not null,
  source text not null,
  wasm {{blob}} not null,
  data text not null,
  entrypoints text not null,
  created_ms bigint not null
);

-- Every version of every policy; the highest of a name is the one in force, unless it was removed.
create table policy_versions (
  name text not null,
  version bigint not null,
  digest text not null references policy_bundles (digest),
  kinds text not null,
  removed smallint not null,
  applied_by text not null,
  applied_ms bigint not null,
  -- The source as it was handed in; the bundle holds it in the syntax of Rego version 1.
  submitted text not null,
  primary key (name, version)
);

create table decisions (
  id text primary key,
  at_ms bigint not null,
  user_name text not null,
  request_id text not null,
  allowed smallint not null,
  reason text not null,
  -- JSON arrays: what was asked, and which bundles were to answer.
  inputs text not null,
  bundles text not null
);
create index decisions_time on decisions (at_ms);
