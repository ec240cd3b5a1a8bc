-- The generation of the service's bindings on a broker, for event types that it receives only while somebody wants them:
-- see `bindings.rs`. One row.
create table bindings (
    id         bigint not null primary key,
    generation bigint not null,
    version    bigint not null
);

-- Generation 0 is how an earlier version bound all types.
insert into bindings (id, generation, version) values (1, 0, 1);
