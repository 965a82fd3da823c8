# What nginx -t takes and what it does not: contexts, numbers of arguments,
# duplicates, values. A refusal names the directive, the value and what would
# have been allowed.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

my @case;

# Everything a text can be put into, as arguments of nginx_t.
my %place = (
    main         => sub { (main => $_[0]) },
    http         => sub { (http => $_[0]) },
    server       => sub { (server => $_[0]) },
    location     => sub { (location => $_[0]) },
    limit_except => sub { (location => "limit_except GET { $_[0] }") },
    issuer       => sub { (http => issuer('idp', $_[0])) },
);

# An issuer block that is complete but for what "text" brings itself.
sub issuer {
    my ($name, $text) = @_;

    my %have = map { $_ => 1 } $text =~ /^\s*#?(\w+)/mg;
    my $block = "proxy_user_issuer $name {\n$text\n";
    $block .= "issuer https://$name.example.com;\n" unless $have{issuer};
    $block .= "audience api;\n" unless $have{audience};
    $block .= "jwks_file $ENV{TEST_NGINX_KEYS}/jwks.json;\n"
        unless $have{jwks_file};
    return "$block}\n";
}

# Refused, by one line that matches every pattern.
sub fails {
    my ($place, $text, @pattern) = @_;
    push @case, [0, $place, $text, @pattern];
}

# Taken, without a warning.
sub taken {
    my ($place, @text) = @_;
    push @case, [1, $place, $_] for @text;
}

# Taken, with a warning that matches every pattern.
sub warns {
    my ($place, $text, @pattern) = @_;
    push @case, [2, $place, $text, @pattern];
}

# A value that is wrong: the directive and the value are in the line.
sub wrong {
    my ($place, $text, @pattern) = @_;

    my ($directive) = $text =~ /(\w+)/;
    fails($place, $text, qr/\b$directive\b/, @pattern);
}

sub arity {
    my ($place, @text) = @_;
    wrong($place, $_, qr/number of arguments|has \d+ values?\b/) for @text;
}

sub duplicate {
    my ($place, @text) = @_;
    wrong($place, $_, qr/duplicate/) for @text;
}

sub only_in {
    my ($directive, $text, @place) = @_;

    my %in = map { $_ => 1 } @place;
    for my $place (qw(main http server location limit_except)) {
        if ($in{$place}) {
            taken($place, $text);
        } else {
            fails($place, $text, qr/\b$directive\b/, qr/not allowed here/);
        }
    }
}


# Contexts.

my @everywhere = qw(http server location limit_except);
my ($on, $role) = ('proxy_user on;', 'proxy_user_role reader GET;');

only_in('proxy_user_zone', 'proxy_user_zone 2m;', 'http');
only_in('proxy_user_redis', 'proxy_user_redis redis://127.0.0.1;', 'http');
only_in('proxy_user', $on, @everywhere);
only_in('proxy_user_role', "$role $on", @everywhere);
only_in('proxy_user_scope', "proxy_user_scope read; $on", @everywhere);
only_in('proxy_user_credential', 'proxy_user_credential bearer;',
        @everywhere);
only_in('proxy_user_realm', 'proxy_user_realm api;', @everywhere);
only_in('proxy_user_on_unknown', 'proxy_user_on_unknown closed;',
        @everywhere);
only_in('proxy_user_strip', 'proxy_user_strip X-Id;', @everywhere);
only_in('proxy_user_audit', 'proxy_user_audit logs/a.log;',
        qw(http server location));

taken('server', 'proxy_user_accept idp;');
taken('location', 'proxy_user_accept idp;');
taken('limit_except', 'proxy_user_accept idp;');
taken('http', issuer('idp', '') . 'proxy_user_accept idp;');
taken('http', 'proxy_user_accept idp; ' . issuer('idp', ''));

fails($_, issuer('second', ''), qr/proxy_user_issuer/, qr/not allowed here/)
    for qw(main server location);
fails('http', $_, qr/\b\w+\b/, qr/unknown directive|not allowed/)
    for 'audience api;', 'jwks_file x;';


# Numbers of arguments.

arity('http', 'proxy_user_zone;', 'proxy_user_zone 1m 2m;',
      'proxy_user_redis;', 'proxy_user_issuer { }',
      'proxy_user_issuer a b { }');
arity('location', 'proxy_user;', 'proxy_user on off;', 'proxy_user_role;',
      'proxy_user_scope;', 'proxy_user_accept;', 'proxy_user_credential;',
      'proxy_user_realm;', 'proxy_user_realm a b;', 'proxy_user_strip;',
      'proxy_user_on_unknown;', 'proxy_user_on_unknown stale closed;',
      'proxy_user_audit;');
arity('issuer', 'issuer;', 'issuer https://a.example.com https://b;',
      'audience;', 'audience_claim;', 'claim;', 'claim token_use;',
      'jwks_file;', 'jwks_file a b;', 'algorithms;', 'leeway;',
      'leeway 1s 2s;', 'subject;', 'name;', 'role_claim;', 'scope_claim;',
      'role_map;', 'role_map admins;', 'default_role;', 'provision;',
      'provision jit known;');


# Once is enough.

duplicate('http', 'proxy_user_zone 1m; proxy_user_zone 1m;',
          'proxy_user_redis redis://127.0.0.1; '
          . 'proxy_user_redis redis://127.0.0.1;');
duplicate('location', 'proxy_user on; proxy_user on;',
          'proxy_user_accept idp; proxy_user_accept idp;',
          'proxy_user_credential bearer; proxy_user_credential bearer;',
          'proxy_user_realm a; proxy_user_realm a;',
          'proxy_user_on_unknown stale; proxy_user_on_unknown stale;',
          'proxy_user_strip X-A; proxy_user_strip X-B;');
duplicate('issuer', "issuer https://idp.example.com;\n"
          . 'issuer https://idp.example.com;', "audience a;\naudience b;",
          'leeway 1s; leeway 1s;', 'subject sub; subject sub;',
          'provision jit; provision jit;',
          'algorithms RS256; algorithms RS256;',
          'role_claim a; role_claim a;', 'scope_claim a; scope_claim a;',
          "#jwks_file\njwks_file $ENV{TEST_NGINX_KEYS}/jwks.json;\n"
          . "jwks_file $ENV{TEST_NGINX_KEYS}/jwks.json;");
taken('location', 'proxy_user on; proxy_user_role a GET; '
      . 'proxy_user_role b POST; proxy_user_scope s; proxy_user_scope t;');
taken('issuer', 'claim a 1; claim b 2; role_map x a; role_map y b;');


# Values: the zone, the words.

taken('http', 'proxy_user_zone 1m;', 'proxy_user_zone 16m;');
wrong('http', "proxy_user_zone $_;", qr/\Q$_/)
    for qw(1k abc 0 -1m 1x 10mm);
wrong('location', "proxy_user $_;", qr/"\Q$_\E"/, qr/on.*optional.*off/)
    for qw(yes ON 1 required);
wrong('location', "proxy_user_strip '$_';", qr/"\Q$_\E"/,
      qr/allowed are prefixes of headers/)
    for 'authorization', 'co', 'X A', 'X-A:', "X-\xc3\xa9";
wrong('location', 'proxy_user_strip X-A off;', qr/"off"/, qr/"off" alone/);
wrong('location', "proxy_user_on_unknown $_;", qr/"\Q$_\E"/,
      qr/closed.*stale|stale.*closed/) for qw(open on Stale);
taken('location', 'proxy_user optional;', 'proxy_user off;',
      'proxy_user_on_unknown stale;');
fails('location', 'proxy_user_rol admin;', qr/proxy_user_rol\b/,
      qr/unknown directive/);


# Values: roles and scopes.

taken('location', map { "$on $_" }
      'proxy_user_role reader;', 'proxy_user_role reader writer GET HEAD;',
      'proxy_user_role a GET HEAD POST PUT PATCH DELETE OPTIONS MKCOL COPY'
      . ' MOVE PROPFIND PROPPATCH LOCK UNLOCK;',
      'proxy_user_role a.b:c/d_e-F GET;',
      'proxy_user_role ADMIN1;', "proxy_user_role @{[ 'r' x 64 ]};",
      'proxy_user_role ' . join(' ', map { "r$_" } 1 .. 100) . ' GET;',
      'proxy_user_scope read:all write#x GET;');
fails('location', "$on proxy_user_role $$_[0];", qr/"proxy_user_role"/,
       qr/\Q$$_[1]\E/, $$_[2] // ())
    for ['reader GTE', 'GTE', qr/method/], ['reader GET GTE', 'GTE'],
        ['ADMIN', 'ADMIN', qr/method/], ['ADMIN GET', 'ADMIN'],
        ['reader GET writer', 'writer', qr/method/],
        ['reader GET get', 'get'], ['GET', 'role'], ['GET POST', 'role'],
        ['rea*der', 'rea*der'], ['"a b"', 'a b'], ["r\xc3\xa9le", 'le'],
        ['""', 'role'], ['-', '-'], ['A.B', 'A.B'], ['A-B', 'A-B'],
        ['r' x 65, 'r' x 65], ['a,b', 'a,b'], ['a=b', 'a=b'], ['a@b', 'a@b'];
fails('location', "$on proxy_user_scope $$_[0];", qr/"proxy_user_scope"/,
       qr/\Q$$_[1]\E/)
    for ['read GTE', 'GTE'], ['READ', 'READ'], ['read GET write', 'write'],
        ['GET', 'scope'], ['"a b"', 'a b'], ["'a\"b'", 'a"b'], ['""', 'scope'],
        ["r\xc3\xa9ad", 'ad'], ['s' x 256, 's' x 100];


# Values: who and where from.

wrong('location', 'proxy_user_accept nobody;', qr/"nobody"/,
      qr/issuer/);
wrong('location', 'proxy_user_accept idp nobody;', qr/"nobody"/);
taken('location', 'proxy_user_credential bearer header=X-Token '
      . 'cookie=session query=access_token;');
wrong('location', "proxy_user_credential $$_[0];", qr/\Q$$_[1]\E/)
    for map({ [$_, $_] } qw(basic Bearer token header= cookie= query=
                            bearer=x header), 'header=X:Y'),
        ['"header=X Y"', 'header=X Y'], ['"cookie=a;b"', 'cookie=a;b'];


# Values: issuers.

taken('issuer', 'issuer https://idp.example.com/realms/a;',
      'issuer http://127.0.0.1:8080;', 'issuer http://localhost/x;',
      'issuer http://[::1]:8080;', 'audience a b c;', 'audience off;',
      'leeway 0;', 'leeway 300s;', 'leeway 5m;', 'subject user id;',
      'name display name;', 'role_claim realm_access roles;',
      'scope_claim permissions;', 'role_map Admins admin writer;',
      'default_role user;', 'provision jit;', 'audience_claim client_id;',
      'claim token_use access id;', 'algorithms ES256 EdDSA;');
wrong('issuer', "issuer $_;", qr/"\Q$_\E"/, qr/https/)
    for qw(http://idp.example.com idp.example.com ftp://idp.example.com
           http://127.0.0.1.example.com http://10.0.0.1
           http://localhost.example.com https:// HTTPS);
fails('issuer', '#issuer', qr/proxy_user_issuer/, qr/\bissuer\b.*missing
      |missing.*\bissuer\b|no\b.*\bissuer\b|needs\b.*\bissuer\b/x,
      qr/idp/);
fails('issuer', '#audience', qr/proxy_user_issuer/, qr/idp/, qr/audience/,
      qr/off/);
fails('issuer', '#jwks_file', qr/proxy_user_issuer/, qr/idp/,
      qr/jwks_file/);
wrong('issuer', "leeway $$_[0];", qr/"\Q$$_[0]\E"/, $$_[1] // ())
    for ['301s', qr/300/], ['6m', qr/300/], ['abc'], ['-1'], ['1y'];
wrong('issuer', "algorithms $$_[0];", qr/"\Q$$_[1]\E"/)
    for ['none', 'none'], ['rs256', 'rs256'], ['RS256 ES255', 'ES255'],
        ['RSA-OAEP', 'RSA-OAEP'], ['ES256K', 'ES256K'];
wrong('issuer', "algorithms $_;", qr/HS\d+/)
    for 'HS256', 'HS512', 'RS256 HS256';
wrong('issuer', "provision $_;", qr/"\Q$_\E"/, qr/jit.*known|known.*jit/)
    for qw(on auto JIT);
wrong('issuer', "role_map Admins $_;", qr/\Q$_\E/)
    for qw(ADMIN rea*der), 'a@b';
wrong('issuer', "default_role $_;", qr/\Q$_\E/) for qw(USER us*er);
fails('issuer', 'colour red;', qr/colour/, qr/proxy_user_issuer|unknown/);
fails('issuer', 'issuer_url https://x;', qr/issuer_url/);
fails('http', issuer('idp', '') . issuer('idp', "issuer https://b;"),
      qr/proxy_user_issuer/, qr/"idp"/);
fails('http', issuer('a', 'issuer https://idp.example.com;')
      . issuer('b', 'issuer https://idp.example.com;'),
      qr/proxy_user_issuer/, qr{https://idp\.example\.com});
taken('http', issuer('a', 'issuer https://idp.example.com;')
      . issuer('b', 'issuer https://idp.example.com/;'));


# Values: Redis. Nothing connects here, so nothing need be there.

my $password = write_file('password', "secret\n");
my $ca = ProxyUser::Token::DATA . '/tls-ca.pem';
my $tls = ProxyUser::Token::DATA . '/tls-client';
taken('http', map { "proxy_user_redis $_;" }
      'redis://127.0.0.1', 'redis://127.0.0.1:6380', 'redis://[::1]:6380/2',
      'redis://127.0.0.1:6379/15',
      "redis://acl-user\@127.0.0.1/0 password_file=$password",
      'unix:/run/redis.sock', 'unix:/run/redis.sock:3',
      "rediss://127.0.0.1 ca_file=$ca server_name=redis.example.com",
      "rediss://127.0.0.1 cert_file=$tls.pem key_file=$tls.key",
      "redis://127.0.0.1 password_file=$password prefix=app.one:x_-1 "
      . 'connect_timeout=2s timeout=50ms stale=1m');
wrong('http', "proxy_user_redis $$_[0];", qr/\Q$$_[1]\E/)
    for map({ [$_, $_] } qw(127.0.0.1:6379 http://127.0.0.1 redis:// redis
        rediss:// unix: redis://127.0.0.1:0 redis://127.0.0.1:65536
        redis://127.0.0.1:abc redis://127.0.0.1:6379x redis://127.0.0.1/x
        redis://127.0.0.1/-1 redis://127.0.0.1/1/2 redis://:6379
        REDIS://127.0.0.1 unix:/run/redis.sock:x redis://[::1)),
        map({ ["redis://127.0.0.1 $_", $_] } qw(timeout=abc timeout=
        connect_timeout=1y stale=x colour=red nothing)),
        ['redis://127.0.0.1 ca_file=tls-ca.pem', 'ca_file'],
        ['redis://127.0.0.1 password_file=/nowhere/file', '/nowhere/file'],
        ['redis://127.0.0.1 prefix=', 'prefix'],
        ['redis://127.0.0.1 prefix=a/b', 'a/b'],
        ['redis://127.0.0.1 "prefix=a{b"', 'a{b'],
        ['redis://127.0.0.1 password_file=', 'password_file'],
        ["redis://127.0.0.1 prefix=@{[ 'p' x 65 ]}", 'ppp'];
fails('http', "proxy_user_redis redis://$_\@127.0.0.1;",
      qr/proxy_user_redis/, qr/password_file/, qr/^(?!.*hunter2)/)
    for '', 'user', 'user:hunter2', ':hunter2';
fails('http', "proxy_user_redis rediss://127.0.0.1 $_;", qr/proxy_user_redis/,
      map { qr/"\Q$_\E"/ } split / /)
    for 'ca_file=/nowhere/ca.pem', "ca_file=$password",
        "cert_file=/nowhere/c.pem key_file=$tls.key",
        "cert_file=$password key_file=$tls.key",
        "cert_file=$tls.pem key_file=/nowhere/k.pem",
        "cert_file=$tls.pem key_file=$password";
fails('http', "proxy_user_redis redis://127.0.0.1 timeout=1s timeout=1s;",
      qr/proxy_user_redis/, qr/timeout/);


# Values: the audit line.

taken('location', map { "proxy_user_audit $_;" } 'logs/a.log', 'off',
      'logs/a.log buffer=4k flush=1s decisions=deny if=$arg_a',
      'logs/a.log decisions=all', 'syslog:server=127.0.0.1:5140',
      'syslog:server=127.0.0.1,facility=local3,tag=pu decisions=deny');
wrong('location', "proxy_user_audit $$_[0];", qr/\Q$$_[1]\E/)
    for map({ ["logs/a.log $_", $_] } qw(buffer=abc buffer=0 flush=x
        decisions=some decisions= colour=red if=x nothing)),
        map({ ["logs/a.log $$_[0] $$_[1]", $$_[1]] }
            [qw(decisions=deny decisions=all)],
            [qw(decisions=all decisions=all)], [qw(if=$arg_a if=$arg_b)],
            ['buffer=4k', 'buffer=8k'],
            ['buffer=4k flush=1s', 'flush=2s']);
fails('location', "proxy_user_audit $$_[0];", $$_[1])
    for ['syslog:', qr/syslog/],
        ['syslog:server=127.0.0.1,facility=x', qr/facility "x"/];
fails('location', 'proxy_user_audit off buffer=4k;', qr/proxy_user_audit/);
fails('location', 'proxy_user_audit nowhere/at/all.log;',
      qr{nowhere/at/all\.log});


# What is allowed and surely not meant.

warns('location', $role, qr/proxy_user_role/, qr/off/);
warns('location', "$on proxy_user_role get GET;",
      qr/"get" in "proxy_user_role" is no method/);
warns('location', "$on proxy_user_role reader Get;",
      qr/"Get" in "proxy_user_role" is no method/);
warns('location', "$on $role proxy_user_scope read post;",
      qr/"post" in "proxy_user_scope" is no method/);
warns('location', 'proxy_user off; proxy_user_scope read;',
      qr/proxy_user_scope|proxy_user_role/, qr/off/);
warns('server', "proxy_user on; location /a { proxy_user off; $role }",
      qr/proxy_user_role/, qr/off/);
warns('location', "$on $role return 200 x;", qr/return/);
warns('location', "$on $role $_;", qr/proxy_user_credential/,
      qr/"x-proxy_USER-key"/, qr/proxy_user_strip/)
    for 'proxy_user_credential api_key=x-proxy_USER-key',
        'proxy_user_credential bearer header=x-proxy_USER-key',
        'proxy_user_strip X.Pro; proxy_user_credential header=x-proxy_USER-key';
taken('location', map { "$on $role $_;" }
      'proxy_user_credential header=X-Proxy-Key',
      'proxy_user_credential bearer cookie=X-Proxy-User query=X-Proxy-User',
      'proxy_user_strip off; proxy_user_credential header=X-Proxy-User-Key');
taken('location', 'proxy_user_credential bearer header=X-Proxy-User-Key;');
taken('server', "proxy_user on; $role location /a { proxy_user off; }");
taken('server', "$on $role");


plan tests => 2 * @case + 4;

for (@case) {
    my ($expected, $place, $text, @pattern) = @$_;
    my ($ok, $said) = nginx_t($place{$place}->($text));

    my $title = "$place: " . (length $text > 70
                              ? substr($text, 0, 67) . '...' : $text)
        =~ s/\s+/ /gr =~ s/[^ -~]/?/gr =~ s{\Q$ENV{TEST_NGINX_KEYS}/}{}gr;

    is $ok, $expected ? 1 : 0, $title . ($expected ? ' is taken'
                                                   : ' is refused');

    my $level = $expected ? 'warn' : 'emerg';
    my @line = grep { /\[$level\]/ } split /\n/, $said;

    if ($expected == 1) {
        is "@line", '', '... without a warning';
        next;
    }

    ok scalar(grep { my $line = $_; !grep { $line !~ $_ } @pattern } @line),
        '... in a line that names what is wrong'
        or diag join "\n", @pattern, $said;
}


# Beside nothing else.

my ($ok, $said) = nginx_t(bare => 1, location => 'return 204;');
ok $ok, 'a configuration that does not use the module is taken';
is $said =~ /\[(?:warn|emerg)\]/ ? $said : '', '', 'without a word';

($ok, $said) = nginx_t(bare => 1, http => 'proxy_user_zone 1m;',
                       location => 'proxy_user on;');
ok !$ok, 'proxy_user on without an issuer is refused';
like $said, qr/\[emerg\].*proxy_user/, 'and says so';
