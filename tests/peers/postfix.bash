# A real Postfix of our own, sourced by the scripts that need one. Configuration, queue and log live in $WORK.
#
#   port 25    smtpd       refuses whom bl.example lists
#   port 26    smtpd       only if listed as 127.0.0.[2..11]
#   port 27    smtpd       only if listed as 127.0.0.[100..110]
#   port 28    postscreen  a listing as 127.0.0.4 is enough to be refused
#   port 29    postscreen  a listing as 127.0.0.3 counts, but is not enough
#   port 30    smtpd       refuses senders whose domain dom.example lists
#   port 31    smtpd       refuses whom the sublist sasl.bl.example lists
#   port 465   submissions, 587 submission: only for who has signed in
#
# The one account is alice@mail.example with the password "correct".

CERTIFICATE=$WORK/postfix/mail.pem

# start_postfix   Returns when it answers on its ports.
start_postfix() {
    install --directory "$WORK/postfix" "$WORK/queue"
    install --directory --owner=postfix "$WORK/data"
    write_main
    write_master
    make_account
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=mail.example -days 2 \
        -keyout "$CERTIFICATE" -out "$CERTIFICATE.certificate" 2>/dev/null
    cat "$CERTIFICATE.certificate" >>"$CERTIFICATE"
    postfix -c "$WORK/postfix" start >"$WORK/postfix.log" 2>&1 || give_up "Postfix does not start"
    eventually says " 221 2.0.0 Bye" swaks_from 192.0.2.1 25 --quit-after EHLO >/dev/null || give_up "Postfix does not answer"
}

write_main() {
    cat >"$WORK/postfix/main.cf" <<END
compatibility_level = 3.6
queue_directory = $WORK/queue
data_directory = $WORK/data
maillog_file = $WORK/mail.log
maillog_file_prefixes = $WORK
myhostname = mail.example
mydestination = mail.example
mynetworks = 127.0.0.1/32
local_recipient_maps =
local_transport = discard:
inet_interfaces = all
inet_protocols = all
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_auth_enable = yes
cyrus_sasl_config_path = $WORK/postfix/sasl
smtpd_tls_chain_files = $CERTIFICATE
postscreen_greet_wait = 3s
postscreen_dnsbl_action = enforce
postscreen_dnsbl_threshold = 3
postscreen_cache_map =
END
}

# No service runs in a chroot: resolver and accounts are those of this mount namespace.
write_master() {
    local only_signed_in="-o smtpd_client_restrictions=permit_sasl_authenticated,reject"
    cat >"$WORK/postfix/master.cf" <<END
25        inet  n - n - - smtpd
    -o { smtpd_client_restrictions = reject_rbl_client bl.example }
26        inet  n - n - - smtpd
    -o { smtpd_client_restrictions = reject_rbl_client bl.example=127.0.0.[2..11] }
27        inet  n - n - - smtpd
    -o { smtpd_client_restrictions = reject_rbl_client bl.example=127.0.0.[100..110] }
28        inet  n - n - 1 postscreen
    -o { postscreen_dnsbl_sites = bl.example=127.0.0.4*3, bl.example=127.0.0.3*1 }
29        inet  n - n - 1 postscreen
    -o { postscreen_dnsbl_sites = bl.example=127.0.0.3*2 }
30        inet  n - n - - smtpd
    -o { smtpd_sender_restrictions = reject_rhsbl_sender dom.example=127.0.0.5 }
31        inet  n - n - - smtpd
    -o { smtpd_client_restrictions = reject_rbl_client sasl.bl.example }
465       inet  n - n - - smtpd
    -o syslog_name=postfix/submissions -o smtpd_tls_wrappermode=yes $only_signed_in
587       inet  n - n - - smtpd
    -o syslog_name=postfix/submission $only_signed_in
smtpd     pass  - - n - - smtpd
dnsblog   unix  - - n - 0 dnsblog
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
error     unix  - - n - - error
discard   unix  - - n - - discard
anvil     unix  - - n - 1 anvil
tlsmgr    unix  - - n 1000? 1 tlsmgr
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
END
}

# Cyrus SASL with a password file of its own: PLAIN and LOGIN, no other daemon. Debian's Postfix looks for `sasl` beside
# its main.cf, whatever cyrus_sasl_config_path says.
make_account() {
    mkdir "$WORK/postfix/sasl"
    cat >"$WORK/postfix/sasl/smtpd.conf" <<END
pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN
sasldb_path: $WORK/data/accounts
END
    saslpasswd2 -p -c -f "$WORK/data/accounts" -u mail.example alice <<<correct
    chown postfix "$WORK/data/accounts"
}

# fail_login CLIENT PORT MECHANISM [ARGUMENT...]   A login with a wrong password; holds when Postfix refuses it.
fail_login() {
    local client=$1 port=$2 mechanism=$3
    shift 3
    says "^<[~*]\* 535 " swaks_from "$client" "$port" --auth "$mechanism" --auth-user alice@mail.example \
        --auth-password wrong --quit-after AUTH "$@"
}

# log_in CLIENT   A login with the right password.
log_in() {
    says "^<[~*-]  235 " swaks_from "$1" 587 --auth PLAIN --auth-user alice@mail.example --auth-password correct \
        --quit-after AUTH
}

# times COUNT COMMAND...   Holds when the command holds that often.
times() {
    local count=$1
    shift
    while ((count-- > 0)); do
        "$@" || return 1
    done
}

# accepted CLIENT [PORT]   Postfix takes a message.
accepted() {
    says "^<[~-]  250 2.0.0 Ok: queued" swaks_from "$1" "${2:-25}"
}

# refused CLIENT [PORT [TEXT]]   Postfix refuses a message because of the list, with this text of the list.
refused() {
    local client=$1 port=${2:-25} text=${3:-}
    says "^<[~*]\* 554 5\.7\.1 .*\[$client\] blocked using bl\.example; .*$text" swaks_from "$client" "$port"
}

# forget   Replaces the smtpd processes. Each keeps the answers it has had, for as long as it lives.
forget() {
    postfix -c "$WORK/postfix" reload
}
