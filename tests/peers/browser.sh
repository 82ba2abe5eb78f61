# A real browser, Chromium, on the web pages: signing in with a second factor and with a passkey, looking, ending a ban, and a
# picture of every page in target/screenshots. Run it with: tests/peers/run browser
source "$(dirname "$0")/world.bash"

pictures=$here/../../target/screenshots
origin=http://localhost:8053

# with_origin   What the daemon does in every check, with a name for browsers, a hub's jail, and an administrator.
with_origin() {
    sed -i -e '/^\[daemon\]/i [sign_in]\norigin = "'"$origin"'"\n' "$WORK/banzone.toml"
    printf '[jail.shared]\nreports = true\n' >>"$WORK/banzone.toml"
    check "a name for browsers" banzone reload
    echo "correct horse battery" | banzone user add root --role admin 2>"$WORK/user.log"
}

# some_days   Failures, bans and reports for the pages to show.
some_days() {
    local host
    for host in $(seq 1 40); do
        echo "$(date --utc +%FT%T.000000+00:00) mx postfix/smtpd[1]: warning: unknown[203.0.113.$((host % 9 + 1))]: SASL LOGIN" \
            "authentication failed: UGFzc3dvcmQ6, sasl_username=alice@mail.example"
    done >>"$WORK/mail.log"
    banzone token add mx7 --role reporter --organisation example.org
    banzone allow add 198.51.100.0/28 --note "our own relays"
    banzone ban 198.51.100.200 --jail postfix-sasl --reason "<script>alert(1)</script>"
}

start_banzone
with_origin
check "something to look at" some_days
check "it is there" eventually listed 203.0.113.1
mkdir -p "$pictures"
if ! /usr/bin/python3 "$here/browser.py" "$origin" "$pictures" >"$WORK/browser.out" 2>"$WORK/browser.log"; then
    echo "not ok - the browser broke off" >>"$WORK/browser.out"
fi
while read -r line; do
    check "${line#*ok - }" test "${line%% - *}" = ok
done <"$WORK/browser.out"
check "the browser ended the ban" unlisted 198.51.100.200
check "the audit log says who" says "user root.*POST /bans/end" banzone audit
finish
