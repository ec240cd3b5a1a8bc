#!/usr/bin/env bash
# A role and a schema for each service, and one role that migrates them all; repeats safely.
# A service's role owns its schema, reads and writes what is in it, and nothing else in the database.
#
# The passwords are those in the URLs of SECRETS (default: the folder where containers find them).
# psql connects as its environment says; an administrator's role is needed. In the official image this file runs at
# the first start, when it lies in /docker-entrypoint-initdb.d.
set -euo pipefail
secrets=${SECRETS:-/run/secrets}
services="users catalog inventory orders payments notifications"
export PGUSER=${PGUSER:-${POSTGRES_USER:-postgres}} PGDATABASE=${PGDATABASE:-${POSTGRES_DB:-tradepost}}

# The password of postgres://USER:PASSWORD@HOST…
password() {
    sed -n 's|^postgres\(ql\)\{0,1\}://[^:/]*:\([^@]*\)@.*|\2|p' "$secrets/store_$1"
}

run() {
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1
}

# By standard input: arguments can be seen by everyone on the machine.
role() {
    run <<SQL
select 'create role tradepost_$1 login' where not exists (select from pg_roles where rolname = 'tradepost_$1') \gexec
alter role tradepost_$1 password '$(password "$1")' connection limit ${2:--1};
grant connect on database "$PGDATABASE" to tradepost_$1;
SQL
}

run <<SQL
revoke all on database "$PGDATABASE" from public;
revoke all on schema public from public;
SQL
# Ten migrations at once: one of them works, the others wait.
role migrate 40
# A schema that a service's role owns.
schema() {
    run <<SQL
create schema if not exists "$1" authorization tradepost_$2;
-- What the migrating role makes there belongs to it, and the service may use it. Steps that a service ran itself
-- belong to the service, and its member, the migrating role, goes on from them.
alter default privileges for role tradepost_migrate in schema "$1"
    grant select, insert, update, delete on tables to tradepost_$2;
alter default privileges for role tradepost_migrate in schema "$1"
    grant usage, select on sequences to tradepost_$2;
SQL
}

for service in $services; do
    role "$service"
    echo "grant tradepost_$service to tradepost_migrate;" | run
    schema "$service" "$service"
done
# The ledger of the simulated provider, which a real one keeps itself.
schema payment-provider payments
