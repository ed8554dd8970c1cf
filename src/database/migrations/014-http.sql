-- Answers kept for idempotency keys: one row a key, user and route; `status` is null while the request runs.
create table http_answers (
  user_name text not null,
  route text not null,
  idempotency_key text not null,
  body_digest text not null,
  status bigint,
  body text,
  created_ms bigint not null,
  primary key (user_name, route, idempotency_key)
);
create index http_answers_created on http_answers (created_ms);
