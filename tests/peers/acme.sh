# A certificate authority issues the certificate for HTTPS and for DNS over TLS: Pebble, which asks the daemon by DNS whether
# the names are its own. Run it with: tests/peers/run acme
source "$(dirname "$0")/world.bash"

# start_authority   Pebble at https://127.0.0.1:14000; $authority is its process.
start_authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 \
        -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
        -keyout "$WORK/authority.key" -out "$WORK/authority.pem" 2>/dev/null
    cat >"$WORK/pebble.json" <<END
{ "pebble": {
    "listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000",
    "certificate": "$WORK/authority.pem", "privateKey": "$WORK/authority.key",
    "httpPort": 5002, "tlsPort": 5001
} }
END
    PEBBLE_VA_NOSLEEP=1 pebble -config "$WORK/pebble.json" -dnsserver 127.0.0.1:53 >"$WORK/pebble.log" 2>&1 &
    authority=$!
    eventually curl --silent --fail --cacert "$WORK/authority.pem" --output "$WORK/root.pem" \
        https://127.0.0.1:15000/roots/0 >/dev/null || give_up "the authority does not start"
}

# with_acme NAMES   What has the daemon ask for a certificate, behind what it does in every check.
with_acme() {
    sed -e "s|@WORK@|$WORK|" -e 's|^listen = "127.0.0.1:8053"|&\nacme = true|' "$here/banzone.toml" >"$WORK/banzone.toml"
    cat >>"$WORK/banzone.toml" <<END
[acme]
names = [$1]
directory = "https://127.0.0.1:14000/dir"
contact = "mailto:hostmaster@bl.example"
ca = "$WORK/authority.pem"
[dns.tls]
acme = true
dot = "127.0.0.1:853"
END
}

start() {
    "$BANZONE" serve --config "$WORK/banzone.toml" >>"$WORK/banzone.log" 2>&1 &
    daemon=$!
    eventually answers_or_ended "$daemon" >/dev/null
    says "ANSWER: 1," ask bl.example SOA >/dev/null || give_up "banzone does not answer"
}

# healthy NAME   HTTPS is spoken under the name, with a certificate that the authority vouches for.
healthy() {
    says "^ok" curl --silent --show-error --cacert "$WORK/root.pem" --resolve "$1:8053:127.0.0.1" "https://$1:8053/healthz"
}

# how_many COUNT   The authority has issued so many certificates.
how_many() {
    [[ $(grep --count "Issued certificate" "$WORK/pebble.log") == "$1" ]]
}

warns() {
    says "$1" curl --silent --cacert "$WORK/root.pem" --resolve bl.example:8053:127.0.0.1 https://bl.example:8053/readyz
}

install --directory --owner=nobody "$WORK/state"
touch "$WORK/mail.log" "$WORK/names"
start_authority
with_acme '"bl.example"'
chmod 644 "$WORK/authority.pem"
start

check "HTTPS with a certificate that was issued" eventually healthy bl.example
check "DNS over TLS with the same" says "NOERROR" \
    kdig @127.0.0.1 +tls-ca="$WORK/root.pem" +tls-hostname=bl.example bl.example SOA
check "what the authority asked for is gone" says "status: NXDOMAIN" ask _acme-challenge.bl.example TXT
check "nobody else can read the key" says "^600 nobody" stat --format "%a %U" "$WORK"/state/acme/*.pem
check "nobody else can read the account" says "^600 nobody" stat --format "%a %U" "$WORK"/state/acme/*.json

kill "$daemon"
wait "$daemon"
start
check "after a restart the certificate is there" eventually healthy bl.example
check "it was not issued again" how_many 1

with_acme '"bl.example", "mail.bl.example", "keys.example"'
check "other names" banzone reload
check "get a certificate at once" eventually healthy mail.bl.example
check "also one in a zone that answers nobody without a key" eventually healthy keys.example
check "with the account of before" says "^1$" bash -c "ls '$WORK'/state/acme/account-*.json | wc -l"

kill "$authority"
with_acme '"bl.example", "dom.example"'
check "names while the authority is away" banzone reload
check "are complained of" eventually warns "no certificate from the authority: .*; the next attempt is at "
check "and the certificate of before stays" healthy mail.bl.example
finish
