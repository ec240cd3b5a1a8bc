#!/usr/bin/env bash
# Makes what compose.yaml reads from deploy/secrets: one password for each user of the database and of the broker,
# and the token of the admin. What is there already stays, so that it can be run again after an upgrade.
#
#   deploy/secrets.sh            hosts as compose.yaml calls them
#   POSTGRES=db:5432/shop RABBITMQ=mq:5672/shop deploy/secrets.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${SECRETS:-$here/secrets}
postgres=${POSTGRES:-postgres:5432/tradepost}
rabbitmq=${RABBITMQ:-rabbitmq:5672/tradepost}

# The folder keeps others out. The files can be read by all, for containers read them as users of their own.
mkdir -p "$folder"
chmod 700 "$folder"

# 32 random bytes as text that needs no escaping in a URL.
random() {
    openssl rand -hex 32
}

keep() {
    [ -s "$folder/$1" ] || printf '%s' "$2" >"$folder/$1"
    chmod 444 "$folder/$1"
}

keep admin_token "$(random)"
keep postgres_password "$(random)"
keep grafana_password "$(random)"
for name in migrate users catalog inventory orders payments notifications; do
    keep "store_$name" "postgres://tradepost_$name:$(random)@$postgres"
    keep "broker_$name" "amqp://tradepost_$name:$(random)@$rabbitmq"
done
# Always anew: the rights may have changed.
rm -f "$folder/rabbitmq_definitions"
SECRETS=$folder VHOST=${rabbitmq##*/} "$here/rabbitmq/users.sh" definitions >"$folder/rabbitmq_definitions"
chmod 444 "$folder/rabbitmq_definitions"

echo "secrets are in $folder; the admin's token:" >&2
echo "  export TRADEPOST_ADMIN_TOKEN=\$(cat $folder/admin_token)" >&2
