-- One row an entry. leaf is what the tree holds; the openings (salt and personal values) and the two users can be erased without touching it.
create table audit_entries (
  seq bigint primary key,
  leaf text not null,
  leaf_hash {{blob}} not null,
  actor_opening text,
  object_opening text,
  actor_user text,
  object_user text,
  time_ms bigint not null,
  actor_id text not null,
  action text not null,
  object_kind text not null,
  object_id text not null,
  outcome text not null,
  request_id text not null
);
create index audit_entries_action on audit_entries (action, seq);
create index audit_entries_object on audit_entries (object_kind, object_id, seq);
create index audit_entries_user on audit_entries (actor_user, seq);
create index audit_entries_object_user on audit_entries (object_user, seq);

-- Hashes of complete subtrees of 256, 65536, … leaves (level 1, 2, …): what a level of tiles holds.
create table audit_subtrees (
  level bigint not null,
  position bigint not null,
  hash {{blob}} not null,
  primary key (level, position)
);

create table audit_checkpoints (
  size bigint primary key,
  note text not null,
  time_ms bigint not null
);
