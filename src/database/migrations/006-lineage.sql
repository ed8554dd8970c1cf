-- Things that crossed the wall. node_key is 'kind:id'.
create table lineage_nodes (
  node_key text primary key,
  kind text not null,
  id text not null,
  name text,
  digest text,
  first_seen_ms bigint not null
);
create index lineage_nodes_name on lineage_nodes (kind, name);

-- Labels only grow, but by an approval.
create table lineage_labels (
  node_key text not null,
  label text not null,
  since_ms bigint not null,
  primary key (node_key, label)
);

-- One row a (thing, subject, relation, run): observed crossings are folded, with the first and the last time.
-- direction 'in': the subject took the thing in; 'out': the subject made it.
create table lineage_edges (
  thing_key text not null,
  subject_key text not null,
  direction text not null,
  relation text not null,
  run_key text not null,
  origin text not null,
  first_ms bigint not null,
  last_ms bigint not null,
  request_id text not null,
  primary key (thing_key, subject_key, relation, run_key, origin)
);
create index lineage_edges_subject on lineage_edges (subject_key, direction);
create index lineage_edges_run on lineage_edges (run_key, direction);
