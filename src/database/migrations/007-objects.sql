-- Buckets that users made; the built-in ones are in the program.
create table object_buckets (
  name text primary key,
  owner text not null,
  created_ms bigint not null
);

-- Encrypted files: who is not here is swept. wrapped is the data key under key_name, version key_version.
create table object_blobs (
  blob_id text primary key,
  size_bytes bigint not null,
  sha256 text not null,
  md5 text not null,
  key_name text not null,
  key_version bigint not null,
  wrapped {{blob}} not null,
  created_ms bigint not null
);

-- A content is one blob, or the parts of a multipart upload in order. Copies share it.
create table object_contents (
  content_id text primary key,
  size_bytes bigint not null,
  digest text not null,
  etag text not null,
  checksums text not null,
  part_count bigint not null
);

create table object_content_blobs (
  content_id text not null,
  position bigint not null,
  blob_id text not null,
  size_bytes bigint not null,
  primary key (content_id, position)
);
create index object_content_blobs_blob on object_content_blobs (blob_id);

-- metadata, headers and tags are JSON objects of strings.
create table objects (
  bucket text not null,
  object_key text {{bytewise}} not null,
  content_id text not null,
  content_type text not null,
  metadata text not null,
  headers text not null,
  tags text not null,
  owner text not null,
  modified_ms bigint not null,
  primary key (bucket, object_key)
);
create index objects_content on objects (content_id);

-- The labels of names: those of all that wrote to the key since it exists.
create table object_labels (
  bucket text not null,
  object_key text {{bytewise}} not null,
  label text not null,
  primary key (bucket, object_key, label)
);

create table object_uploads (
  upload_id text primary key,
  bucket text not null,
  object_key text {{bytewise}} not null,
  owner text not null,
  content_type text not null,
  metadata text not null,
  headers text not null,
  tags text not null,
  checksum_algorithm text,
  checksum_type text,
  created_ms bigint not null
);
create index object_uploads_key on object_uploads (bucket, object_key, upload_id);

create table object_upload_parts (
  upload_id text not null,
  part_number bigint not null,
  blob_id text not null,
  size_bytes bigint not null,
  etag text not null,
  checksums text not null,
  modified_ms bigint not null,
  primary key (upload_id, part_number)
);

-- The labels of what wrote the parts: the object that they become carries them.
create table object_upload_labels (
  upload_id text not null,
  label text not null,
  primary key (upload_id, label)
);

-- S3 key pairs. The secret is sealed: a signature can only be checked with the secret itself.
create table access_keys (
  access_key_id text primary key,
  key_name text not null,
  key_version bigint not null,
  wrapped {{blob}} not null,
  sealed {{blob}} not null,
  identity text not null,
  sandbox_id text,
  read_only smallint not null,
  created_ms bigint not null,
  expires_ms bigint not null
);
create index access_keys_sandbox on access_keys (sandbox_id);
