# SpamAssassin asks the list for the client that handed a mail over, and shows the list's text.
# Run it with: tests/peers/run spamassassin
source "$(dirname "$0")/world.bash"

# Nothing of the rules and settings of this machine.
configure_spamassassin() {
    mkdir -p "$WORK/spamassassin/rules" "$WORK/spamassassin/home"
    cat >"$WORK/spamassassin/rules/banzone.cf" <<END_OF_RULES
loadplugin Mail::SpamAssassin::Plugin::Check
loadplugin Mail::SpamAssassin::Plugin::DNSEval
dns_available yes
dns_server 127.0.0.1:53
use_bayes 0
required_score 5
clear_report_template
report verdict: _YESNO_
report _SUMMARY_
trusted_networks 192.0.2.25
internal_networks 192.0.2.25
header BANZONE eval:check_rbl('banzone-lastexternal', 'bl.example.')
tflags BANZONE net
score BANZONE 9
header BANZONE_JAIL eval:check_rbl_sub('banzone-lastexternal', '127.0.0.4')
tflags BANZONE_JAIL net
score BANZONE_JAIL 1
header BANZONE_TEXT eval:check_rbl_txt('banzonetext-lastexternal', 'bl.example.')
tflags BANZONE_TEXT net
score BANZONE_TEXT 1
END_OF_RULES
}

# examine CLIENT   SpamAssassin's report of a mail that this client handed over.
examine() {
    HOME=$WORK/spamassassin/home timeout "$PATIENCE" spamassassin --test-mode --nocreate-prefs \
        --configpath="$WORK/spamassassin/rules" --siteconfigpath="$WORK/spamassassin/rules" <<END_OF_MAIL
Received: from mail.example (mail.example [192.0.2.25])
	by inside.example (Postfix) with ESMTP id 4712 for <user@mail.example>;
	Sun, 22 Nov 2026 08:04:13 +0000 (UTC)
Received: from client.example (client.example [$1])
	by mail.example (Postfix) with ESMTP id 4711 for <user@mail.example>;
	Sun, 22 Nov 2026 08:04:12 +0000 (UTC)
From: sender@client.example
To: user@mail.example
Subject: a mail
Date: Sun, 22 Nov 2026 08:04:12 +0000
Message-ID: <1@client.example>

Text.
END_OF_MAIL
}

start_banzone
configure_spamassassin

ban_clients

check "a client that is listed is found" says "^verdict: Yes" examine 203.0.113.66
check "its code is told apart" says "BANZONE_JAIL" examine 203.0.113.66
check "the list's text is shown" says "https://bl\.example/ip/203\.0\.113\.66" examine 203.0.113.66
check "another code is told apart" never_says "BANZONE_JAIL" examine 203.0.113.67
check "an IPv6 client that is listed is found" says "^verdict: Yes" examine 2001:db8::66
check "a client that is not listed is not found" says "^verdict: No" examine 203.0.113.68
check "nothing is found of a client that is not listed" never_says "BANZONE" examine 203.0.113.68

finish
