# What a real Postfix makes of a zone of domain names in a file, and of a part of a zone under its own name.
# Run it with: tests/peers/run postfix-names
source "$(dirname "$0")/world.bash"
source "$(dirname "$0")/postfix.bash"

start_banzone
start_postfix

# mail_from SENDER   One session on the port that looks up the domain of the sender.
mail_from() {
    swaks_from 192.0.2.10 30 --from "$1"
}

# taken_from SENDER   Postfix takes a message of this sender.
taken_from() {
    says "^<[~-]  250 2.0.0 Ok: queued" mail_from "$1"
}

# refused_from SENDER NAME   Postfix refuses it with the text of the entry of this name.
refused_from() {
    says "^<[~*]\* 554 5\.7\.1 .*Sender address \[$1\] blocked using dom\.example; https://dom\.example/$2" mail_from "$1"
}

# write_names NAME...   Puts another file in the place of the one that is served, as rsync does.
write_names() {
    printf '%s\n' "$@" >"$WORK/names.new" && mv "$WORK/names.new" "$WORK/names"
}

# has_name NAME   The daemon lists the name.
has_name() {
    says "[[:space:]]A[[:space:]]127\.0\.0\.5\$" ask "$1.dom.example" A
}

check "a sender may send before any name is listed" taken_from someone@bad.example
check "names are written to the file" write_names .bad.example '*.below.example' '!ok.below.example'
check "the file is served" eventually has_name bad.example
check "Postfix forgets what it was told" forget
check "a sender of a listed domain is refused" eventually refused_from someone@bad.example bad.example
check "a sender below it is refused" refused_from someone@mail.bad.example bad.example
check "a sender below a wildcard is refused" refused_from someone@a.below.example below.example
check "a sender of an excluded domain may send" taken_from someone@ok.below.example
check "a sender of the wildcard's own domain may send" taken_from someone@below.example
check "a sender of another domain may send" taken_from someone@good.example

check "the file is gone" rm "$WORK/names"
check "the daemon misses it" eventually grep "what was read before is served on: cannot read" "$WORK/banzone.log"
check "Postfix forgets what it was told" forget
check "what was read before is served" eventually refused_from someone@bad.example bad.example

check "the address in no jail of the sublist is banned" banzone ban 203.0.113.70
check "the address in the jail of the sublist is banned" banzone ban 203.0.113.71 --jail postfix-sasl
check "both are listed by the zone" eventually listed 203.0.113.71 127.0.0.4
check "the zone refuses the one" refused 203.0.113.70
check "the sublist does not" accepted 203.0.113.70 31
check "the sublist refuses the other" says "^<[~*]\* 554 5\.7\.1 .*blocked using sasl\.bl\.example; https://bl.example/ip/203" \
    swaks_from 203.0.113.71 31

finish
