-- A value wrapped under each version of each named key, by which a wrong key is known before anything is written under it.
create table key_checks (
  key_name text not null,
  key_version bigint not null,
  wrapped {{blob}} not null,
  primary key (key_name, key_version)
);
