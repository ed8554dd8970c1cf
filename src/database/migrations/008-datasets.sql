create table datasets (
  name text primary key,
  owner text not null,
  created_ms bigint not null
);

-- The files of a version are objects: bucket 'datasets', key 'name/version/path'.
create table dataset_versions (
  name text not null,
  version bigint not null,
  digest text not null,
  size_bytes bigint not null,
  file_count bigint not null,
  added_by text not null,
  created_ms bigint not null,
  primary key (name, version)
);
create index dataset_versions_digest on dataset_versions (digest);

create table dataset_tags (
  name text not null,
  version bigint not null,
  tag text not null,
  primary key (name, version, tag)
);

create table dataset_uploads (
  upload_id text primary key,
  name text not null,
  owner text not null,
  tags text not null,
  created_ms bigint not null
);

create table dataset_upload_files (
  upload_id text not null,
  path text {{bytewise}} not null,
  blob_id text not null,
  size_bytes bigint not null,
  digest text not null,
  etag text not null,
  primary key (upload_id, path)
);

-- Which sandboxes have a version's folder, named by its digest, mounted.
create table dataset_mounts (
  digest text not null,
  sandbox_id text not null,
  name text not null,
  version bigint not null,
  primary key (digest, sandbox_id, name, version)
);
create index dataset_mounts_sandbox on dataset_mounts (sandbox_id);
