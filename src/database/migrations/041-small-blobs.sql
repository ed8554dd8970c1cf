-- The encrypted bytes of small blobs: durable with the commit that names them, where a file would have to be synced before.
create table object_blob_bytes (
  blob_id text primary key,
  sealed {{blob}} not null
);
