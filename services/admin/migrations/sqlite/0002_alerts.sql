-- Alerts, the resolved ones too until 90 days after that.
create table alerts (
    alert_id        blob    not null primary key,
    kind            text    not null,
    -- The id or the name of what it is about.
    subject         text    not null,
    status          text    not null check (status in ('open', 'acknowledged', 'resolved')),
    detail          text    not null,
    since           integer not null,
    acknowledged_by text,
    acknowledged_at integer,
    resolved_at     integer,
    -- The time of the digest that has it.
    mailed_at       integer,
    version         integer not null,
    check ((status = 'resolved') = (resolved_at is not null)),
    check ((acknowledged_by is null) = (acknowledged_at is null))
) strict, without rowid;
create unique index alerts_unresolved on alerts (kind, subject) where status <> 'resolved';
create index alerts_by_status on alerts (status, alert_id);
create index alerts_by_end on alerts (resolved_at) where resolved_at is not null;

-- What is known of the subjects of alerts, until 90 days after the last news.
create table conditions (
    kind       text    not null,
    subject    text    not null,
    state      text    not null,
    -- The alert that is not resolved.
    alert_id   blob,
    changed_at integer not null,
    version    integer not null,
    primary key (kind, subject)
) strict, without rowid;
create index conditions_by_change on conditions (changed_at) where alert_id is null;

-- The last mail about alerts, so that the next keeps its distance.
create table digests (
    name    text    not null primary key,
    sent_at integer,
    version integer not null
) strict, without rowid;
insert into digests (name, version) values ('alerts', 1);
