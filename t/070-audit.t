# The audit line: one JSON object for each decided request, with these fields,
# for every byte a client can send, and never with a credential in it.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More tests => 198;

use IO::Socket::INET;
use Time::HiRes qw(sleep time);

my @secret;

sub secret { push @secret, $_[0]; $_[0] }

my $reader = secret(token(claims => { roles => ['reader'], scope => 'b a',
                                      preferred_username => 'Alice A' }));
my $bob = secret(token(claims => { sub => 'bob' }));
my $forged = secret(token(claims => { sub => 'eve' }, key => 'rsa2',
                          kid => 'rsa1'));

my $syslog = IO::Socket::INET->new(Proto => 'udp',
                                   LocalAddr => '127.0.0.1') or die $!;
my $port = $syslog->sockport;

write_file('rules.conf', "proxy_user_role reader GET;\n"
                         . "proxy_user_role writer POST;\n");

my $nginx = start_nginx(http => <<'END', log_level => 'debug',
map $arg_skip $wanted { default 1; yes 0; none ''; }
server {
    listen 127.0.0.1:$TEST_NGINX_FREE_PORT_1;
    location / { return 201; }
    location /redirect/ {
        add_header X-Accel-Redirect /inside;
        return 200;
    }
}
END
    server => <<"END");
proxy_user on;
proxy_user_audit logs/server.log;
add_header X-Id \$proxy_user_id always;
add_header X-Request \$request_id always;

location / { try_files /index.html =404; }
location /role {
    include $ENV{TEST_NGINX_TMP}/rules.conf;
    try_files /index.html =404;
}
location /upstream { proxy_pass http://127.0.0.1:$ENV{TEST_NGINX_FREE_PORT_1}; }
location /accel/ {
    proxy_pass http://127.0.0.1:$ENV{TEST_NGINX_FREE_PORT_1}/redirect/;
}
location /inside {
    internal;
    proxy_user_role writer;
    try_files /index.html =404;
}
location /off {
    proxy_user off;
    try_files /index.html =404;
}
location /optional {
    proxy_user optional;
    try_files /index.html =404;
}
location /silent {
    proxy_user_audit off;
    try_files /index.html =404;
}
location /deny {
    proxy_user_audit logs/deny.log decisions=deny;
    proxy_user_role reader;
    try_files /index.html =404;
}
location /if {
    proxy_user_audit logs/if.log if=\$wanted;
    try_files /index.html =404;
}
location /buffer {
    proxy_user_audit logs/buffer.log buffer=64k flush=1s;
    try_files /index.html =404;
}
location /syslog {
    proxy_user_audit syslog:server=127.0.0.1:$port,tag=pu;
    try_files /index.html =404;
}
location /page {
    proxy_user_role writer;
    error_page 403 /denied;
}
location = /denied { proxy_user off; return 200 "no\\n"; }
location /another {
    proxy_user_role writer;
    error_page 401 403 /denied/another;
}
location = /denied/another {
    proxy_user optional;
    proxy_user_credential cookie=session;
    try_files /index.html =404;
}
location /query {
    proxy_user_credential query=access_token cookie=session header=X-Token;
    add_header X-Claim \$proxy_user_claim_x;
    try_files /index.html =404;
}
END

sub log_of { "$nginx->{root}/logs/$_[0].log" }

# Does something; the lines that came of it.
sub audited {
    my ($name, $code) = @_;

    my $before = () = read_file(log_of($name)) =~ /\n/g;
    $code->();
    my @line = wait_audit(log_of($name), $before + 1, 1);
    return @line[$before .. $#line];
}

sub lines { scalar(() = read_file(log_of($_[0])) =~ /\n/g) }

sub settle { sleep 0.15 }


# Every field.

my $answer;
my ($line, @more) = audited(server => sub {
    $answer = $nginx->ask('GET', '/role/a?b=c', token => $reader,
                          headers => [[Host => 'api.example.com:8080']]);
});

is @more, 0, 'one request, one line';
my $time = delete $line->{time};
like $time, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    'time is RFC 3339, milliseconds, UTC';
like delete $line->{request_time}, qr/^\d+(?:\.\d+)?$/, 'request_time';
like delete $line->{decide_time}, qr/^\d+(?:\.\d+)?$/, 'decide_time';
like delete $line->{bytes}, qr/^[1-9]\d*$/, 'bytes';
like delete $line->{rule}, qr{/rules\.conf:1$}, 'rule is file:line';
is_deeply $line, {
    request_id => $answer->{headers}{'x-request'}, decision => 'allow',
    reason => 'ok', status => 200, user => $answer->{headers}{'x-id'},
    name => 'Alice A', type => 'human', issuer => 'idp', subject => 'alice',
    handle => 'sub:' . substr(handle_digest('alice'), 0, 16),
    credential => 'bearer', roles => ['reader'], scopes => ['a', 'b'],
    method => 'GET', host => $line->{host}, uri => '/role/a',
    location => '/role', client => '127.0.0.1', cache => 'miss',
    token_cache => 'miss',
}, 'the rest, and nothing else';
like $line->{host}, qr/^api\.example\.com(?::8080)?$/, 'host';

my $raw = (split /\n/, read_file(log_of('server')))[-1];
like $raw, qr/"status":200\b/, 'status is a number';
like $raw, qr/"bytes":\d/, 'bytes is a number';
like $raw, qr/"request_time":\d/, 'request_time is a number';

($line) = audited(server => sub { $nginx->get('/role', $reader) });
is "$line->{cache} $line->{token_cache}", 'hit hit', 'warm says so';

($line) = audited(server => sub { $nginx->get('/upstream', $bob) });
is $line->{upstream_status}, 201, 'upstream_status';
is $line->{status}, 201, 'and status';
ok !exists $line->{roles}, 'no roles, no field';
ok !exists $line->{rule}, 'no rule, no field';


# Decisions.

for ([undef, '/role', 401, 'deny', 'no_credential', undef],
     ['x', '/role', 401, 'deny', 'token_malformed', undef],
     [$forged, '/role', 401, 'deny', 'token_signature', undef],
     [$bob, '/role', 403, 'deny', 'role_missing', 'bob'],
     [undef, '/optional', 200, 'anonymous', 'anonymous', undef],
     [$bob, '/optional', 200, 'allow', 'ok', 'bob'],
     [$reader, '/accel/', 403, 'deny', 'role_missing', 'alice'],
     [$reader, '/page', 403, 'deny', 'role_missing', 'alice']) {
    my ($token, $uri, $status, $decision, $reason, $subject) = @$_;
    my ($line, @more) = audited(server => sub { $nginx->get($uri, $token) });
    my $title = "$uri: $reason";

    is @more, 0, "$title, one line";
    is $line->{status}, $status, "$title, status";
    is $line->{decision}, $decision, "$title, decision";
    is $line->{reason}, $reason, "$title, reason";
    is $line->{subject}, $subject, "$title, subject";
    is $line->{uri}, $uri, "$title, the client's uri";
    is exists $line->{user}, defined $subject, "$title, user";
}

# Who shows somebody else's token to the page of the refusal was refused.

for ([$reader, undef, 'role_missing', 'alice'],
     [$reader, $bob, 'role_missing', 'alice'],
     [undef, $bob, 'no_credential', undef],
     [$forged, $bob, 'token_signature', undef]) {
    my ($token, $session, $reason, $subject) = @$_;
    my ($line, @more) = audited(server => sub {
        $nginx->ask('GET', '/another', $token ? (token => $token) : (),
                    headers => [$session ? [Cookie => "session=$session"]
                                         : ()]);
    });
    my $title = "$reason, then " . ($session ? 'another' : 'nobody');

    is @more, 0, "$title: one line";
    is $line->{reason}, $reason, "$title: the refusal";
    is $line->{location}, '/another', "$title: where it was";
    is $line->{subject}, $subject, "$title: whom it met";
    is !!$line->{$_}, defined $subject, "$title: $_"
        for qw(user handle issuer credential);
    is $line->{name}, $subject && 'Alice A', "$title: name";
}

($line) = audited(server => sub { $nginx->ask('POST', '/role', token =>
                                              $reader, body => 'x') });
is $line->{reason}, 'method_not_permitted', 'a refused method';
is $line->{method}, 'POST', 'is named';

($line) = audited(server => sub { $nginx->ask('HEAD', '/', token => $bob) });
is $line->{method}, 'HEAD', 'HEAD is HEAD';

my $before = lines('server');
$nginx->get($_, $reader) for '/off', '/silent', '/silent';
$nginx->get('/off', 'x');
settle();
is lines('server'), $before, 'no line where nothing is decided or wanted';


# Which lines.

$nginx->get('/deny', $reader) for 1 .. 3;
my ($refused) = audited(deny => sub { $nginx->get('/deny', $bob) });
is $refused->{reason}, 'role_missing', 'decisions=deny writes refusals';
$nginx->get('/deny', undef);
settle();
is lines('deny'), 2, 'and refusals only';

$nginx->get("/if?skip=$_", $bob) for qw(yes none);
audited(if => sub { $nginx->get('/if', $bob) });
is lines('if'), 1, 'if= leaves out what is empty or 0';


# Bytes.

my @hostile = (
    ['a quote', '/a"b'], ['a backslash', '/a\\b'], ['angles', '/<b>'],
    ['UTF-8', "/\xc3\xa9"], ['no UTF-8', "/\xff\xfe"],
    ['UTF-8 cut', "/\xe2\x82"], ['an overlong NUL', "/\xc0\x80"],
    ['a surrogate', "/\xed\xa0\x80"], ['an escaped line end', '/a%0ab'],
    ['an escaped escape', '/%1b%5b2J'], ['an escaped DEL', '/%7f'],
    ['escaped bytes above 0x7f', '/%ff%fe'], ['a percent', '/%25'],
    ['JSON', '/","decision":"allow","x":"'], ['a tab', '/a%09b'],
    ['a line separator', "/\xe2\x80\xa8"], ['long', '/' . 'a' x 3000],
    ['long and all quotes', '/' . '"' x 2000],
    ['long and no UTF-8', '/' . "\xff" x 2000],
);

for (@hostile) {
    my ($title, $uri) = @$_;
    my ($line, @more) = eval {
        audited(server => sub { $nginx->get($uri, $bob) })
    };
    is $@, '', "$title in the uri is one line of JSON";
    is $line->{decision}, 'allow', "$title in the uri spoils no field"
        or diag explain $line;
}

# Most of these nginx refuses itself since 1.29: then nothing was decided.
for my $host ('a"b', "\xff\xfe", 'a\\b', "\xc3\xa9.example.com", 'A.B') {
    my $early = $nginx->ask('GET', '/off', headers => [[Host => $host]]);
    my ($line) = $early->{status} == 400 ? () : eval { audited(server => sub {
        $nginx->ask('GET', '/', token => $bob, headers => [[Host => $host]])
    }) };
    is $@ // '', '', 'any host is JSON';
    ok $line || $early->{status} == 400, 'and there is a line';
}

for (['quotes', '"\\'], ['UTF-8', "\xe9\x{20ac}"], ['emoji', "\x{1f600}"],
     ['a line separator', "a\x{2028}b"], ['angles', '</script>']) {
    my ($title, $text) = @$_;
    my $token = secret(token(claims => { sub => $text,
                                         preferred_username => $text }));
    my ($line) = audited(server => sub { $nginx->get('/', $token) });
    is $line->{subject}, $text, "$title in the subject come back whole";
    is $line->{name}, $text, "$title in the name too";
}

my $evil = secret(token(claims => { sub => 'evil', preferred_username =>
                                    "a\n{\"decision\":\"allow\"}" }));
($line, @more) = audited(server => sub { $nginx->get('/', $evil) });
is @more, 0, 'a line end in a name makes no second line';


# Buffer, flush, USR1, syslog.

$nginx->get('/buffer', $bob) for 1 .. 5;
is lines('buffer'), 0, 'buffered lines wait';
my $since = time;
is scalar(wait_audit(log_of('buffer'), 5, 4)), 5, 'and are flushed';
ok time - $since > 0.2, 'after their time';

rename log_of('server'), log_of('server') . '.1' or die $!;
$nginx->get('/', $bob);
ok $nginx->signal('USR1'), 'USR1';
for (1 .. 100) {
    last if -e log_of('server');
    sleep 0.02;
}
settle();
audited(server => sub { $nginx->get('/', $bob) });
is lines('server'), 1, 'the file is opened again';

$nginx->get('/buffer', $bob);
rename log_of('buffer'), log_of('buffer') . '.1' or die $!;
$nginx->signal('USR1');
for (1 .. 100) {
    last if -e log_of('buffer');
    sleep 0.02;
}
settle();
is scalar(audit_lines(log_of('buffer') . '.1')), 6,
    'what was buffered goes to the old file first';

$nginx->get('/syslog', $bob);
vec(my $ready = '', fileno $syslog, 1) = 1;
my $datagram = '';
$syslog->recv($datagram, 65536) if select $ready, undef, undef, 3;
like $datagram, qr/^<\d+>.* pu: \{.*\}\s*\z/s, 'a syslog datagram';
my ($object) = $datagram =~ /(\{.*\})/s;
my $decoded = eval { JSON::PP->new->utf8->decode($object // '') } || {};
is $decoded->{subject}, 'bob', 'with the line in it';


# Secrets.

$nginx->get("/query?access_token=$bob&x=y");
$nginx->get('/query', undef, Cookie => "session=$bob");
$nginx->get('/query', undef, 'X-Token' => $bob);
$nginx->get("/query?access_token=$forged");
$nginx->get('/query?access_token=' . secret(token(claims => { x => "a\nb" })));
$nginx->get('/', undef, Authorization => "Basic " . secret('c2VjcmV0OnBhc3M'));
$nginx->get('/', secret('not-a-token-but-a-secret'));
$nginx->get('/', $_) for @secret;
settle();
$nginx->stop;

# The log is looked at whole; the last words of the workers are in it.
my %text = map { $_ => read_file($_) } glob "$nginx->{root}/logs/*.log*";
my @audit = grep { !/error\.log/ } sort keys %text;
ok @audit >= 6, 'there are audit files';

# nginx's own debug lines show request headers; this module's must not, nor
# may they end in the request line when that has a token in it.
my $own = join "\n", grep { /#\d+: (?:\*\d+ )?proxy_user/ }
    split /\n/, $text{ log_of('error') };
like $own, qr/proxy_user access/, 'the module writes to the debug log';
like $own, qr/control byte/, 'and says why a claim is not shown';

for my $secret (@secret) {
    my @part = grep { length > 20 } split /\./, $secret;
    my $found = grep { index($_, $secret) >= 0
        || (@part == 3 && index($_, substr $part[2], 0, 20) >= 0) }
        @text{@audit}, $own;
    is $found, 0, 'no credential in an audit line or in a line of ours: '
        . substr $secret, -6;
}

is scalar(grep { $text{$_} =~ /eyJ|access_token|session=|Basic / } @audit), 0,
    'nothing that looks like one either';
