-- One row a secret: its rules and where its versions stand. Times in ms; 0 in max_versions and delete_after_ms means "as configured".
create table secrets (
  path text {{bytewise}} primary key,
  owner text not null,
  current_version bigint not null,
  max_versions bigint not null,
  cas_required smallint not null,
  delete_after_ms bigint not null,
  custom_metadata text not null,
  created_ms bigint not null,
  updated_ms bigint not null
);
create index secrets_owner on secrets (owner, path);

-- wrapped is the data key of this one value; wrapped and sealed are null once it is destroyed. deleted_ms may lie ahead.
create table secret_versions (
  path text {{bytewise}} not null,
  version bigint not null,
  value_id text not null,
  created_ms bigint not null,
  deleted_ms bigint,
  destroyed smallint not null,
  key_name text,
  key_version bigint,
  wrapped {{blob}},
  sealed {{blob}},
  primary key (path, version)
);

-- The rules of somebody's secrets that have none of their own.
create table secret_config (
  owner text primary key,
  max_versions bigint not null,
  cas_required smallint not null,
  delete_after_ms bigint not null
);

-- Tokens made through the Vault door: they narrow what their parent may. The parent is sealed under the token itself.
create table vault_tokens (
  token_hash text primary key,
  accessor text not null,
  subject text not null,
  parent {{blob}} not null,
  scopes text not null,
  display_name text not null,
  metadata text not null,
  renewable smallint not null,
  ttl_ms bigint not null,
  max_ttl_ms bigint not null,
  num_uses bigint not null,
  uses_left bigint not null,
  created_ms bigint not null,
  expires_ms bigint not null,
  revoked_ms bigint
);
create index vault_tokens_expiry on vault_tokens (expires_ms);
