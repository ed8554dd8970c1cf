create table approvals (
  id text primary key,
  requester text not null,
  dataset text not null,
  purpose text not null,
  labels text not null,
  -- pending, approved, denied or revoked; expired is what an approved or pending one is after its end.
  state text not null,
  requested_ms bigint not null,
  until_ms bigint not null,
  decided_by text,
  decided_ms bigint,
  reason text not null
);
create index approvals_requester on approvals (requester, state, until_ms);
create index approvals_time on approvals (requested_ms, id);
