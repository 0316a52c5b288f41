#!/bin/sh
# Writes the secrets of compose.yaml that are not there yet; never touches one that is. Run it as root, in this folder:
# the files belong to user and group 10001, incidentd's, which the other containers are given as a further group.
#   SECRETS=DIR     where to; default: secrets
#   OWNER=UID:GID   default: 10001:10001
set -eu
umask 077
folder=${SECRETS:-secrets}
owner=${OWNER:-10001:10001}
mkdir -p "$folder"
chmod 0755 "$folder"

keep() { # keep NAME: a file with what comes in, unless it is there
  if [ ! -s "$folder/$1" ]; then
    cat >"$folder/$1.new"
    chown "$owner" "$folder/$1.new"
    chmod 0440 "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
    echo "wrote $folder/$1"
  fi
}
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
ed25519() { # a private key in PEM: what PKCS#8 puts before one, and 32 random bytes
  echo "-----BEGIN PRIVATE KEY-----"
  { printf '\060\056\002\001\000\060\005\006\003\053\145\160\004\042\004\040'; head -c 32 /dev/urandom; } | base64
  echo "-----END PRIVATE KEY-----"
}

random | keep incidentd_alertmanager # scope ingest: Alertmanager's posts
random | keep incidentd_oncall       # scopes read and respond: people, incidentctl
random | keep incidentd_pipelines    # scope ingest: pipelines that tell of deployments
random | keep incidentd_prometheus   # scope read: /metrics
ed25519 | keep incidentd_audit_key   # signs the audit log; for kubernetes/postgres.yaml, whose replicas have no disk
random | keep grafana_admin          # the password of Grafana's user admin
random | keep postgres_password
printf 'postgresql+asyncpg://incidentd:%s@postgres/incidentd' "$(cat "$folder/postgres_password")" | keep incidentd_database_url
# For the mail that Alertmanager sends when incidentd itself is in trouble: put the relay's password here.
printf 'not-set' | keep smtp_password
