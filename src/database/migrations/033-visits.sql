-- One-time tickets that admit a browser to one site (a sandbox's port, the pages of runs): only their SHA-256 is kept.
create table visit_tickets (
  hash text primary key,
  site text not null,
  -- The token that asked: the ticket and its visit are worth nothing once it is revoked or has expired.
  token_hash text not null,
  path text not null,
  created_ms bigint not null,
  expires_ms bigint not null,
  used_ms bigint
);
create index visit_tickets_expires on visit_tickets (expires_ms);

-- Browsers that were admitted, by the SHA-256 of their cookie.
create table visits (
  hash text primary key,
  site text not null,
  token_hash text not null,
  created_ms bigint not null,
  expires_ms bigint not null
);
create index visits_expires on visits (expires_ms);
