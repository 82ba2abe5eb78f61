# Exim asks the list for the client and for the sender's domain, and shows the list's text.
# Run it with: tests/peers/run exim
source "$(dirname "$0")/world.bash"

EXIM=$("$here/unpack" path)/usr/sbin/exim4

# Debian's Exim gives up root for this user, which only its installed package makes.
make_exim_user() {
    local file
    for file in passwd group; do
        cp "/etc/$file" "$WORK/$file"
        mount --bind "$WORK/$file" "/etc/$file"
    done
    echo "Debian-exim:x:65533:" >>"$WORK/group"
    echo "Debian-exim:x:65533:65533::/:/usr/sbin/nologin" >>"$WORK/passwd"
}

# start_exim   Returns when it answers.
#
#   port 25   refuses whom bl.example lists
#   port 26   only if listed as 127.0.0.4
#   port 27   refuses senders whose domain dom.example lists
start_exim() {
    make_exim_user
    install --directory --owner=Debian-exim "$WORK/exim"
    cat >"$WORK/exim.conf" <<END
exim_path = $EXIM
primary_hostname = mail.example
spool_directory = $WORK/exim
log_file_path = $WORK/exim/%s.log
local_interfaces = <; 127.0.0.1 ; ::1
daemon_smtp_ports = 25 : 26 : 27
tls_advertise_hosts =
keep_environment =
queue_only = true
acl_smtp_rcpt = recipient

begin acl
recipient:
    deny
        condition = \${if eq {\$received_port}{25}}
        dnslists = bl.example
        message = listed in \$dnslist_domain as \$dnslist_value: \$dnslist_text
    deny
        condition = \${if eq {\$received_port}{26}}
        dnslists = bl.example=127.0.0.4
        message = listed in \$dnslist_domain as \$dnslist_value: \$dnslist_text
    deny
        condition = \${if eq {\$received_port}{27}}
        dnslists = dom.example/\$sender_address_domain
        message = listed in \$dnslist_domain as \$dnslist_value: \$dnslist_text
    accept
END
    "$EXIM" -C "$WORK/exim.conf" -bdf >"$WORK/exim.log" 2>&1 &
    eventually says "^<-  221 " swaks_from 192.0.2.1 25 --quit-after EHLO >/dev/null || give_up "Exim does not answer"
}

# accepted CLIENT PORT [ARGUMENT...]   Exim takes a message.
accepted() {
    says "^<-  250 OK id=" swaks_from "$@"
}

# refused TEXT CLIENT PORT [ARGUMENT...]   Exim refuses a message with this text.
refused() {
    local text=$1
    shift
    says "^<\*\* 550 listed in $text" unfolded swaks_from "$@"
}

# unfolded COMMAND...   Exim breaks long lines: puts them together again.
unfolded() {
    "$@" | perl -0pe '1 while s/^<\*\* 550-(.*)\n<\*\* 550(.)/<** 550$2$1 /m'
}

# has_name NAME   The daemon lists the name.
has_name() {
    says "[[:space:]]A[[:space:]]127\.0\.0\.5\$" ask "$1.dom.example" A
}

start_banzone
start_exim

for client in 203.0.113.66 203.0.113.67 2001:db8::66; do
    check "$client may send before it is listed" accepted "$client" 25
done
ban_clients

for client in 203.0.113.66 2001:db8::66; do
    check "$client is refused with the list's text" \
        refused "bl\.example as 127\.0\.0\.4: https://bl\.example/ip/$client banned by postfix-sasl until 2" "$client" 25
    check "$client is refused for its code" refused "bl\.example as 127\.0\.0\.4: " "$client" 26
done
check "a client with another code is refused" refused "bl\.example as 127\.0\.0\.3: " 203.0.113.67 25
check "a client with another code may send where one code counts" accepted 203.0.113.67 26
check "a client that is not listed may send" accepted 203.0.113.68 25
check "an IPv6 client that is not listed may send" accepted 2001:db8::68 25

for client in 203.0.113.66 2001:db8::66; do
    check "$client is freed" banzone unban "$client"
    check "$client is not listed any more" eventually unlisted "$client"
    check "$client may send again" accepted "$client" 25
done

echo bad.example >"$WORK/names.new" && mv "$WORK/names.new" "$WORK/names"
check "a name is listed" eventually has_name bad.example
check "a sender of that domain is refused" \
    refused "dom\.example as 127\.0\.0\.5: https://dom\.example/bad\.example" 203.0.113.66 27 --from someone@bad.example
check "a sender of another domain may send" accepted 203.0.113.66 27 --from someone@good.example

finish
