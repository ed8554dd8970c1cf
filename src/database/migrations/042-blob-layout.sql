-- How the frames of a blob are bound: 1, each to its place; 2, the last one also to the SHA-256 of the whole.
alter table object_blobs add column layout bigint not null default 1;
