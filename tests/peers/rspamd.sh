# Rspamd asks the list for the client that handed a mail over, and for the list's own name, by which it watches whether the
# list is alive: should it be told of a listing there, or of an error, it would ask no more.
# Run it with: tests/peers/run rspamd
source "$(dirname "$0")/world.bash"

# Rspamd as Debian ships it, with this list.
start_rspamd() {
    local folder=$WORK/rspamd
    mkdir -p "$folder"/{local.d,override.d,db,run,log}
    cat >"$folder/override.d/rbl.conf" <<END_OF_CONF
rbls {
  banzone {
    symbol = "BANZONE";
    rbl = "bl.example";
    checks = ["from"];
    ipv4 = true;
    ipv6 = true;
    returncodes { BANZONE_JAIL = "127.0.0.4"; }
  }
}
END_OF_CONF
    # Rspamd takes half a minute to compile all suffixes there are.
    echo example >"$folder/suffixes"
    cat >"$folder/local.d/options.inc" <<END_OF_CONF
dns { nameserver = ["127.0.0.1"]; timeout = 1s; retransmits = 1; }
monitoring_watch_interval = 1s;
url_tld = "$folder/suffixes";
disable_hyperscan = true;
END_OF_CONF
    echo 'type = "file"; level = "info";' >"$folder/local.d/logging.inc"
    echo 'filename = "'"$WORK/rspamd.log"'"; debug_modules = ["monitored"];' >>"$folder/local.d/logging.inc"
    rspamd --no-fork --insecure --user=root --group=root --config=/etc/rspamd/rspamd.conf \
        --var=LOCAL_CONFDIR="$folder" --var=DBDIR="$folder/db" --var=RUNDIR="$folder/run" \
        --var=LOGDIR="$folder/log" >"$WORK/rspamd-start.log" 2>&1 &
    eventually examine 127.0.0.1 >/dev/null || give_up "Rspamd does not answer"
}

# examine CLIENT   The symbols of a mail that this client hands over.
examine() {
    rspamc --connect=127.0.0.1:11333 --timeout="$PATIENCE" --ip="$1" --from=sender@client.example --rcpt=user@mail.example symbols <<END_OF_MAIL
From: sender@client.example
To: user@mail.example
Subject: a mail
Date: Sun, 22 Nov 2026 08:04:12 +0000
Message-ID: <1@client.example>

Text.
END_OF_MAIL
}

# watched   Rspamd has looked three times whether the list is alive, and never did it seem dead.
watched() {
    local found
    found=$(grep "monitored_dns_cb: dns callback for bl\.example" "$WORK/rspamd.log")
    echo "$found"
    [[ $(grep -c "no records with this name" <<<"$found") -ge 3 && $(grep -vc "no records with this name" <<<"$found") == 0 ]]
}

start_banzone
ban_clients
start_rspamd

check "a client that is listed has the symbol of its code" says "Symbol: BANZONE_JAIL" examine 203.0.113.66
check "an IPv6 client that is listed has it" says "Symbol: BANZONE_JAIL" examine 2001:db8::66
check "another code has another symbol" says "Symbol: BANZONE " examine 203.0.113.67
check "a client that is not listed has none" never_says "BANZONE" examine 203.0.113.68
check "the list is alive whenever Rspamd looks" eventually watched
check "it is asked all the same after that" says "Symbol: BANZONE_JAIL" examine 203.0.113.66

finish
