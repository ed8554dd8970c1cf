-- When a sandbox's life began, by the clock as it is now: moved with the other times of its life when the clock is set; created_ms stays a date.
alter table sandboxes add column begun_ms bigint not null default 0;
update sandboxes set begun_ms = created_ms;
