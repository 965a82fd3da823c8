# What would be decided about another request: the same answer as a live
# request gets, for operators only, and nothing is changed by asking.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use JSON::PP ();

my $ISSUERS = <<'END';
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
    role_map writer writer;
    role_map ops ops;
    default_role user;
}
proxy_user_issuer other {
    issuer https://other.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    provision known;
}
END

my $HTTP = $ISSUERS . <<'END';
add_header X-Reason $proxy_user_reason always;
proxy_user_profile reader { methods GET; }
proxy_user_profile writer { methods POST; inherit reader; }
proxy_user_profile oncall { max_grant 1h; }
END

my $SERVER = <<'END';
proxy_user on;
location = /explain { proxy_user_role ops; proxy_user_explain; }
location / { proxy_user_role reader writer; try_files /index.html =404; }
location /scope { proxy_user_scope read write POST;
                  try_files /index.html =404; }
location = /scope/exact { proxy_user_role nobody;
                          try_files /index.html =404; }
location /off/ { proxy_user off; try_files /index.html =404; }
location /optional { proxy_user optional; try_files /index.html =404; }
location /accept { proxy_user_accept other; try_files /index.html =404; }
location /require { proxy_user_require $arg_x error=401;
                    try_files /index.html =404; }
location /oncall { proxy_user_role oncall; try_files /index.html =404; }
location /report { proxy_user_mode report; proxy_user_role nobody;
                   try_files /index.html =404; }
location /limit { proxy_user_role reader;
                  limit_except GET { proxy_user_role writer; }
                  try_files /index.html =404; }
location ^~ /pre/ { proxy_user_role pre; try_files /index.html =404;
    location ~ \.in$ { proxy_user_role pre-in;
                       try_files /index.html =404; } }
location /nest/ { proxy_user_role nest; try_files /index.html =404;
    location /nest/deep/ { proxy_user_role deep;
                           try_files /index.html =404;
        location = /nest/deep/x { proxy_user_role x;
                                  try_files /index.html =404; } } }
location ~ \.php$ { proxy_user_role php; try_files /index.html =404; }
location ~ ^/g { proxy_user_role reg; try_files /index.html =404;
    location ~ \.txt$ { proxy_user_role reg-txt;
                        try_files /index.html =404; } }
}
server {
    listen $TEST_NGINX_PORT_LINE;
    server_name b.example.com *.wild.example.com ~^re\d+\.example\.com$;
    root html;
    proxy_user on;
    proxy_user_role b;
}
server {
    listen 127.0.0.1:$TEST_NGINX_FREE_PORT_2;
    server_name alone.example.com *.wide.example.org .dot.example.org
                any.example.* ~^lone\d+\.example\.com$;
    root html;
    proxy_user on;
    proxy_user_role alone;
END

my $operator = token(claims => { sub => 'op', roles => ['ops'] });
my $json = JSON::PP->new->utf8;
my $nginx;

sub escape {
    my ($text) = @_;
    $text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;
    return $text;
}

# What is answered to a question.
sub asked {
    my (%arg) = @_;
    my $query = join '&', map { "$_=" . escape($arg{$_}) } sort keys %arg;
    my $answer = $nginx->get("/explain?$query", $operator);
    my $data = eval { $json->decode($answer->{body}) } // {};
    return { %$data, status => $answer->{status} };
}

sub brief {
    my ($data) = @_;
    return "$data->{status} " . join ' ', map { $_ // '(none)' }
        @$data{qw(decision reason)};
}

# The second server listens where the first does.
sub server {
    my ($port) = @_;
    (my $text = $SERVER) =~ s/\$TEST_NGINX_PORT_LINE/127.0.0.1:$port/;
    return $text;
}


my $redis = redis_start();
my ($alice, $gone, $call, $late) = map { user_id($_) } 1 .. 4;
seed_user(id => $alice, sub => 'alice', roles => 'reader@1',
          scopes => 'read', user_name => 'Alice@example.com', name => 'A');
seed_user(id => $gone, sub => 'gone', state => 'suspended');
seed_user(id => $call, sub => 'call', roles => 'oncall@' . time);
seed_user(id => $late, sub => 'late', roles => 'oncall@' . (time - 7200));
seed_user(id => user_id(5), sub => 'op2', roles => 'ops@1');

# nginx's own port is not known before it starts: another one for both.
my $port = free_port();
$nginx = start_nginx(
    http => "proxy_user_redis unix:\$TEST_NGINX_REDIS_SOCKET;\n$HTTP",
    server => "listen 127.0.0.1:$port;\n" . server($port));

# By name, as the module finds it: the digest of the folded name.
{
    require Digest::SHA;
    require MIME::Base64;
    my $digest = MIME::Base64::encode_base64url(
        Digest::SHA::sha256('alice@example.com'), '');
    redis('SET', "{pu}:name:$digest", $alice);
}


# For operators only.

check_cases($nginx, 'who may ask',
    ['an operator', 'GET /explain?method=GET&uri=/', $operator, 200, 'ok',
     'Content-Type: application/json', 'Cache-Control: no-store'],
    ['HEAD', 'HEAD /explain?method=GET&uri=/', $operator, 200, 'ok'],
    ['nobody', 'GET /explain?method=GET&uri=/', undef, 401,
     'no_credential'],
    ['somebody', 'GET /explain?method=GET&uri=/', token(claims =>
     { sub => 'alice' }), 403, 'role_missing'],
    ['nothing is sent', 'POST /explain?method=GET&uri=/', $operator, 405,
     'ok']);


# Users.

for (
    ['by id', { user => $alice, method => 'GET', uri => '/' },
     '200 allow ok'],
    ['by name', { user => 'name:alice@EXAMPLE.com', method => 'GET',
     uri => '/' }, '200 allow ok'],
    ['by identity', { user => 'sub:https://idp.example.com#alice',
     method => 'GET', uri => '/' }, '200 allow ok'],
    ['no method', { user => $alice, method => 'POST', uri => '/' },
     '200 deny method_not_permitted'],
    ['no role', { user => $alice, method => 'GET', uri => '/nest/' },
     '200 deny role_missing'],
    ['a role of the token', { user => $alice, method => 'POST', uri => '/',
     roles => 'writer' }, '200 allow ok'],
    ['a scope of the token', { user => $alice, method => 'GET',
     uri => '/scope', scopes => 'read' }, '200 allow ok'],
    ['no scope', { user => $alice, method => 'POST', uri => '/scope' },
     '200 deny scope_missing'],
    ['the user\'s cap on scopes', { user => $alice, method => 'POST',
     uri => '/scope', scopes => 'read write' },
     '200 deny scope_missing'],
    ['suspended', { user => $gone, method => 'GET', uri => '/' },
     '200 deny user_suspended'],
    ['on call', { user => $call, method => 'GET', uri => '/oncall' },
     '200 allow ok'],
    ['on call too long ago', { user => $late, method => 'GET',
     uri => '/oncall' }, '200 deny role_missing'],
    ['nobody', { method => 'GET', uri => '/' }, '200 deny no_credential'],
    ['nobody, where nobody may be', { method => 'GET', uri => '/optional' },
     '200 anonymous anonymous'],
    ['a token of somebody', { method => 'GET', uri => '/',
     roles => 'reader' }, '200 allow ok'],
    ['an id that is not there', { user => user_id(99), method => 'GET',
     uri => '/' }, '200 deny user_unknown'],
    ['what is no id', { user => 'alice', method => 'GET', uri => '/' },
     '200 deny user_unknown'],
    ['a name that is not there', { user => 'name:bob', method => 'GET',
     uri => '/' }, '200 deny user_unknown'],
    ['an identity a token would make a user of',
     { user => 'sub:https://idp.example.com#new', method => 'GET',
       uri => '/', roles => 'reader' }, '200 allow ok'],
    ['and one where it would not',
     { user => 'sub:https://other.example.com#new', method => 'GET',
       uri => '/', roles => 'reader' }, '200 deny user_unknown'],
    ['an identity without a subject', { user => 'sub:x', method => 'GET',
     uri => '/' }, '200 deny user_unknown'],
    ['an issuer', { user => $alice, method => 'GET', uri => '/accept',
     issuer => 'other' }, '200 allow ok'],
    ['another issuer', { user => $alice, method => 'GET',
     uri => '/accept', issuer => 'idp' }, '200 deny issuer_not_accepted'],
    ['an issuer left out', { user => $alice, method => 'GET',
     uri => '/accept' }, '200 deny issuer_not_accepted'],
    ['requirements are empty', { user => $alice, method => 'GET',
     uri => '/require?x=1' }, '200 deny requirement_failed'],
    ['off', { user => $alice, method => 'GET', uri => '/off/' }, '200  '],
) {
    my ($title, $arg, $expected) = @$_;
    my $got = asked(%$arg);
    is brief($got), $expected, $title or diag explain_of($got);
}

sub explain_of { $json->canonical->encode($_[0]) }

{
    my $before = everything();
    my $got = asked(user => $alice, method => 'POST', uri => '/scope',
                      scopes => 'write read', roles => 'writer reader');
    like delete $got->{rule}, qr/nginx\.conf:\d+$/, 'the rule';
    ok delete $got->{not_simulated}, 'what is not known';
    is_deeply $got, { status => 200, decision => 'deny',
        reason => 'scope_missing', user => $alice,
        roles => ['reader', 'writer'], scopes => ['read'],
        location => '/scope', mode => 'enforce',
        left_out => ['host', 'issuer'] }, 'the whole answer';
    is_deeply asked(method => 'GET', uri => '/require',
                      roles => 'reader')->{left_out},
        [qw(user host issuer scopes requirements)], 'what was left out';
    is asked(user => $alice, method => 'GET', uri => '/report')->{mode},
        'report', 'a location that reports';
    is_deeply asked(user => $alice, method => 'GET', uri => '/',
                      issuer => 'idp')->{roles}, ['reader', 'user'],
        'an issuer brings its default roles';
    asked(user => 'sub:https://idp.example.com#newer', method => 'GET',
            uri => '/');
    is_deeply everything(), $before, 'nothing is written';
}


# Locations: where a live request lands, by the line that refuses it.

my $nobody = token(claims => { sub => 'stranger' });
$nginx->get('/', $nobody);
$nginx->configure(
    http => "proxy_user_redis unix:\$TEST_NGINX_REDIS_SOCKET;\n$HTTP
        add_header X-Rule \$proxy_user_rule always;
        add_header X-Location \$uri always;",
    server => "listen 127.0.0.1:$port;\n" . server($port));
ok $nginx->reload, 'a reload';

for my $request ('/', '/x', '/scope', '/scope/exact', '/scope/exacts',
                 '/scope/', '/limit', '/pre/x', '/pre/x.php', '/pre/x.in',
                 '/nest/', '/nest/a', '/nest/deep/', '/nest/deep/x',
                 '/nest/deep/xy', '/nest/deep/x.php', '/a.php', '/gx',
                 '/gx.txt', '/g.php', '//nest//a', '/nest/../gx',
                 '/%6eest/deep/x', '/nest/deep/x?y=/gx', '/NEST/',
                 '/report/../gx.txt', '/nest/%2e%2e/g', '/scope/exact/../x')
{
    for my $method ('GET', 'POST', 'PURGE') {
        my $live = $nginx->ask($method, $request, headers =>
            [[Authorization => "Bearer $nobody"]])->{headers};
        my $got = asked(method => $method, uri => $request,
                          user => 'sub:https://idp.example.com#stranger',
                          issuer => 'idp');
        is "$got->{reason} $got->{rule}",
            ($live->{'x-reason'} // '') . ' ' . ($live->{'x-rule'} // ''),
            "$method $request";
    }
}


# Servers.

for (
    ['localhost', 'role_missing', '/'],
    ['b.example.com', 'role_missing', ''],
    ['B.Example.com.', 'role_missing', ''],
    ['x.wild.example.com', 'role_missing', ''],
    ['re12.example.com', 'role_missing', ''],
    ["b.example.com:$port", 'role_missing', ''],
    (map { [$_, 'role_missing', ''] } qw(
        alone.example.com a.wide.example.org a.b.wide.example.org
        dot.example.org a.dot.example.org any.example.net lone7.example.com)),
    (map { [$_, 'role_missing', '/'] } qw(
        wide.example.org xdot.example.org any.example alone.example.comx
        lonely.example.com)),
    ['unknown.example.com', 'role_missing', '/'],
    ["unknown.example.com:$port", 'role_missing', '/'],
) {
    my ($host, $reason, $location) = @$_;
    my $got = asked(method => 'GET', uri => '/', host => $host,
                      roles => 'zero');
    is "$got->{reason} $got->{location}", "$reason $location",
        "host $host";
}


# Wrong questions.

for (
    ['', qr/needed are method= and uri=/],
    ['method=GET', qr/needed are method= and uri=/],
    ['uri=/', qr/needed are method= and uri=/],
    ['method=GET&uri=x', qr/uri= is no path/],
    ['method=GET&uri=/../..', qr/uri= is no path/],
    ['method=GET&uri=/%2500', qr/uri= is no path/],
    ['method=GET&uri=/&host=a:0', qr/port of host=/],
    ['method=GET&uri=/&host=a:1', qr/port of host=/],
    ['method=GET&uri=/&issuer=idq', qr/issuer= is no name/],
    ['method=GET&uri=/&roles=a,b', qr/roles= has what is no role/],
    ['method=GET&uri=/&roles=' . join('+', map { "r$_" } 1 .. 300),
     qr/roles= .* too many/],
    ['method=GET&uri=/&scopes=a%22', qr/scopes= has what is no scope/],
) {
    my ($query, $pattern) = @$_;
    my $answer = $nginx->get("/explain?$query", $operator);
    is $answer->{status}, 400, 'refused: ' . substr $query, 0, 40;
    like eval { $json->decode($answer->{body})->{error} } // '', $pattern,
        'and why';
}

{
    my $got = asked(user => "\x00\xff\"\\", method => "\x01", uri => '/');
    is brief($got), '200 deny user_unknown', 'any bytes are taken';
    $got = asked(user => 'x' x 3000, method => 'GET', uri => '/');
    is brief($got), '200 deny user_unknown', 'and many';
    is asked(method => 'GET', uri => '/' . 'x' x 3000)->{status}, 200,
        'a long path';
}


# When Redis is away, and clients that do not wait.

{
    $redis->freeze;
    my @gone = map { $nginx->connect } 1 .. 5;
    $_->send("GET /explain?method=GET&uri=/&user=$alice HTTP/1.1\r\n"
             . "Host: localhost\r\nAuthorization: Bearer $operator\r\n\r\n")
        for @gone;
    $_->reset for @gone;
    my $got = asked(user => $gone, method => 'GET', uri => '/');
    $redis->thaw;
    like brief($got), qr/^200 (?:unknown store_unavailable)$/,
        'nobody knows: unknown';
    ok within(10, sub { brief(asked(user => $alice, method => 'GET',
                        uri => '/')) eq '200 allow ok' }), 'and again';
}

ok $nginx->stop, 'an end';
ok !$nginx->trouble, 'without trouble';


# Without Redis.

{
    $nginx = start_nginx(http => $HTTP, server => $SERVER =~ s/\}\nserver .*//sr
        . 'location = /id { add_header X-Id $proxy_user_id always;
                            try_files /index.html =404; }');
    my $zoe = token(claims => { sub => 'zoe', roles => ['reader'] });
    my $id = $nginx->get('/id', $zoe)->{headers}{'x-id'};
    is brief(asked(user => $id, method => 'GET', uri => '/',
                     roles => 'reader')), '200 allow ok', 'by id';
    is brief(asked(user => 'sub:https://idp.example.com#zoe',
                     method => 'GET', uri => '/')),
        '200 deny role_missing', 'by identity';
    is asked(user => 'sub:https://idp.example.com#zoe', method => 'GET',
               uri => '/')->{user}, $id, 'who it is';
    is brief(asked(user => user_id(7), method => 'GET', uri => '/')),
        '200 deny user_unknown', 'no such id';
    is brief(asked(user => 'name:zoe', method => 'GET', uri => '/')),
        '200 deny user_unknown', 'there are no names';
    ok $nginx->stop, 'an end';
    ok !$nginx->trouble, 'without trouble';
}


# nginx -t.

for (
    ['proxy_user on; proxy_user_role ops; proxy_user_explain;', 1],
    ['proxy_user_explain unguarded;', 1],
    ['proxy_user_explain unguarded; allow 127.0.0.1; deny all;', 1],
    ['proxy_user on; proxy_user_explain;', 0],
    ['proxy_user optional; proxy_user_role ops; proxy_user_explain;', 0],
    ['proxy_user_role ops; proxy_user_explain;', 0],
    ['proxy_user on; proxy_user_mode report; proxy_user_role ops; '
     . 'proxy_user_explain;', 0],
    ['proxy_user on; proxy_user_role ops; satisfy any; proxy_user_explain;',
     0],
) {
    my ($text, $taken) = @$_;
    my ($ok, $said) = nginx_t(http => $ISSUERS,
                              server => "location /e { $text }");
    is $ok, $taken, "$text";
    like $said, $taken ? qr/is successful/ : qr{\[emerg\]
        \ "proxy_user_explain"\ in\ location\ "/e"\ is\ for\ operators:}x,
        'and why';
}

for (
    ['proxy_user_explain open;', qr/"proxy_user_explain" has the value /
     . qr/"open", allowed is unguarded/],
    ['proxy_user_explain a b;', qr/invalid number of arguments/],
    ['proxy_user_explain unguarded; proxy_user_explain unguarded;',
     qr/"proxy_user_explain" directive is duplicate/],
) {
    my ($text, $pattern) = @$_;
    my ($ok, $said) = nginx_t(location => $text);
    is $ok, 0, "refused: $text";
    like $said, qr/\[emerg\].*$pattern/, 'and why';
}

for my $place (qw(http server)) {
    my ($ok, $said) = nginx_t($place => 'proxy_user_explain unguarded;');
    like $said, qr/"proxy_user_explain" directive is not allowed here/,
        "not in $place";
}

done_testing;
