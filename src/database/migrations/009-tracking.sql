create table experiments (
  id text primary key,
  number bigint not null unique,
  name text not null unique,
  artifact_location text not null,
  lifecycle text not null,
  owner text not null,
  created_ms bigint not null,
  updated_ms bigint not null
);

create table experiment_tags (
  experiment_id text not null,
  key text not null,
  value text not null,
  primary key (experiment_id, key)
);

create table runs (
  id text primary key,
  experiment_id text not null,
  name text not null,
  status text not null,
  start_ms bigint,
  end_ms bigint,
  lifecycle text not null,
  deleted_ms bigint,
  owner text not null,
  sandbox_id text,
  user_id text not null,
  artifact_uri text not null
);
create index runs_experiment on runs (experiment_id, start_ms desc, id);
create index runs_sandbox on runs (sandbox_id, status, start_ms);

create table run_params (
  run_id text not null,
  key text not null,
  value text not null,
  primary key (run_id, key)
);

create table run_tags (
  run_id text not null,
  key text not null,
  value text not null,
  primary key (run_id, key)
);

-- NaN is kept as 0 with a flag, infinities as the largest double.
create table run_metrics (
  run_id text not null,
  key text not null,
  step bigint not null,
  time_ms bigint not null,
  value double precision not null,
  is_nan smallint not null,
  primary key (run_id, key, step, time_ms, value, is_nan)
);

-- The latest by (step, time, value) of each key.
create table latest_metrics (
  run_id text not null,
  key text not null,
  step bigint not null,
  time_ms bigint not null,
  value double precision not null,
  is_nan smallint not null,
  primary key (run_id, key)
);
create index latest_metrics_key on latest_metrics (key, is_nan, value);

create table run_inputs (
  run_id text not null,
  name text not null,
  digest text not null,
  source_type text not null,
  source text not null,
  dataset_schema text,
  profile text,
  tags text not null,
  primary key (run_id, name, digest)
);

create table run_model_inputs (
  run_id text not null,
  model_id text not null,
  primary key (run_id, model_id)
);

create table run_model_outputs (
  run_id text not null,
  model_id text not null,
  step bigint not null,
  primary key (run_id, model_id)
);

create table logged_models (
  id text primary key,
  experiment_id text not null,
  name text not null,
  model_type text not null,
  status text not null,
  lifecycle text not null,
  source_run_id text not null,
  artifact_uri text not null,
  owner text not null,
  created_ms bigint not null,
  updated_ms bigint not null
);
create index logged_models_experiment on logged_models (experiment_id, created_ms desc, id);

create table logged_model_params (
  model_id text not null,
  key text not null,
  value text not null,
  primary key (model_id, key)
);

create table logged_model_tags (
  model_id text not null,
  key text not null,
  value text not null,
  primary key (model_id, key)
);

create table logged_model_metrics (
  model_id text not null,
  key text not null,
  step bigint not null,
  time_ms bigint not null,
  value double precision not null,
  run_id text not null,
  dataset_name text not null,
  dataset_digest text not null,
  primary key (model_id, key, step, time_ms, run_id)
);
