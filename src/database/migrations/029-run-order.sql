-- What searches of runs are ordered and narrowed by stands beside the values, so that an index gives a page of any order.
alter table latest_metrics add column experiment_id text not null default '';
alter table latest_metrics add column owner text not null default '';
alter table latest_metrics add column start_ms bigint not null default 0;
update latest_metrics set
  experiment_id = coalesce((select r.experiment_id from runs r where r.id = latest_metrics.run_id), ''),
  owner = coalesce((select r.owner from runs r where r.id = latest_metrics.run_id), ''),
  start_ms = coalesce((select r.start_ms from runs r where r.id = latest_metrics.run_id), 0);
drop index latest_metrics_key;
create index latest_metrics_order on latest_metrics (experiment_id, owner, key, is_nan, value, start_ms desc, run_id);

-- sort_key: the beginning of the value, as an index has a longest entry.
alter table run_params add column experiment_id text not null default '';
alter table run_params add column owner text not null default '';
alter table run_params add column start_ms bigint not null default 0;
alter table run_params add column sort_key text {{bytewise}} not null default '';
update run_params set
  experiment_id = coalesce((select r.experiment_id from runs r where r.id = run_params.run_id), ''),
  owner = coalesce((select r.owner from runs r where r.id = run_params.run_id), ''),
  start_ms = coalesce((select r.start_ms from runs r where r.id = run_params.run_id), 0),
  sort_key = substr(value, 1, 200);
create index run_params_order on run_params (experiment_id, owner, key, sort_key, start_ms desc, run_id);
create index run_params_order_desc on run_params (experiment_id, owner, key, sort_key desc, start_ms desc, run_id);

drop index runs_experiment;
create index runs_order_start on runs (experiment_id, owner, start_ms desc, id);
create index runs_order_end on runs (experiment_id, owner, end_ms, start_ms desc, id);
create index runs_order_name on runs (experiment_id, owner, (substr(name, 1, 200)), start_ms desc, id);
create index runs_order_status on runs (experiment_id, owner, status, start_ms desc, id);
