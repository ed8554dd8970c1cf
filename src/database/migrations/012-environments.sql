create table environments (
  name text primary key,
  digest text not null,
  requirements text not null,
  lock text not null,
  python text not null,
  packages bigint not null,
  size_bytes bigint not null,
  owner text not null,
  created_ms bigint not null
);
create index environments_digest on environments (digest);
