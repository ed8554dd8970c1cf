-- One row: that it can be written is what readiness asks.
create table readiness (
  id bigint primary key,
  checked_ms bigint not null
);

-- The trace in which a sandbox was made, while it is there and traces are exported.
create table sandbox_traces (
  sandbox_id text primary key,
  traceparent text not null
);
