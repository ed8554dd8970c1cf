create table registered_models (
  name text primary key,
  description text not null,
  owner text not null,
  created_ms bigint not null,
  updated_ms bigint not null
);

create table registered_model_tags (
  name text not null,
  key text not null,
  value text not null,
  primary key (name, key)
);

create table model_versions (
  name text not null,
  version bigint not null,
  description text not null,
  stage text not null,
  source text not null,
  storage_location text not null,
  run_id text not null,
  run_link text not null,
  model_id text not null,
  status text not null,
  deleted smallint not null,
  owner text not null,
  created_ms bigint not null,
  updated_ms bigint not null,
  primary key (name, version)
);
create index model_versions_run on model_versions (run_id);

create table model_version_tags (
  name text not null,
  version bigint not null,
  key text not null,
  value text not null,
  primary key (name, version, key)
);

create table model_aliases (
  name text not null,
  alias text not null,
  version bigint not null,
  primary key (name, alias)
);
