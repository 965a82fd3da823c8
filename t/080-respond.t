# What a refused client is told, word for word: status, challenge, body. The
# table has every reason a client can bring about by itself or by its record.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

use IO::Uncompress::Gunzip qw(gunzip);
use JSON::PP ();

my $now = time;
my $redis = redis_start();
seed_user(id => user_id(1), sub => 'suspended', state => 'suspended');
seed_user(id => user_id(2), sub => 'deleted', state => 'deleted');
seed_user(id => user_id(3), sub => 'expired', expires => $now - 60);
seed_user(id => user_id(4), sub => 'revoked', epoch => $now);

my $nginx = start_nginx(http => <<'END', server => <<'END');
proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET;
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
}
proxy_user_issuer closed {
    issuer https://closed.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    provision known;
}
add_header X-Reason $proxy_user_reason always;
add_header X-Request $request_id always;
server {
    listen 127.0.0.1:$TEST_NGINX_FREE_PORT_2;
    location /200 { return 200 "backend\n"; }
    location /401 {
        add_header WWW-Authenticate 'Basic realm="backend"' always;
        return 401 "backend\n";
    }
    location /403 { return 403 "backend\n"; }
    location /503 { return 503 "backend\n"; }
}
END
listen 127.0.0.1:$TEST_NGINX_FREE_PORT_1 http2;
large_client_header_buffers 4 64k;
proxy_user on;
location / { proxy_user_accept idp closed; try_files /index.html =404; }
location /idp { proxy_user_accept idp; try_files /index.html =404; }
location /two {
    proxy_user_credential bearer header=X-Token;
    try_files /index.html =404;
}
location /role {
    proxy_user_role reader GET;
    try_files /index.html =404;
}
location /scope {
    proxy_user_scope read list GET;
    proxy_user_scope write POST;
    try_files /index.html =404;
}

location /realm/named { proxy_user_realm "the api"; }
location /realm/odd { proxy_user_realm 'say "hi" \\ there'; }
location /realm/utf8 { proxy_user_realm "zürich"; }

location /page/ {
    proxy_user_role admin;
    location /page/uri { error_page 401 403 /denied.html; }
    location /page/answer { error_page 401 403 = /denied.html; }
    location /page/named { error_page 401 403 @denied; }
    location /page/backend { error_page 401 403 = @backend; }
    location /page/url { error_page 401 403 https://help.example.com/; }
    location /page/other { error_page 404 /denied.html; }
    location /page/on { error_page 401 403 /page/on/too; }
}
location = /denied.html { proxy_user off; }
location @denied { proxy_user off; return 409 "denied\n"; }
location @backend {
    proxy_user off;
    rewrite ^ /403 break;
    proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_2;
}

location /backend/ {
    proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_2/;
}
location /any/ {
    satisfy any;
    proxy_user_role admin;
    auth_request /asked;
    proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_2/;
}
location = /asked {
    internal;
    proxy_user off;
    proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_2/200;
}
location /asked/no { auth_request /no; try_files /index.html =404; }
location = /no {
    internal;
    proxy_user off;
    proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_2/403;
}

location /filtered {
    proxy_user_role admin;
    gzip on;
    gzip_min_length 1;
    gzip_types *;
    gzip_proxied any;
    charset utf-8;
    charset_types *;
    ssi on;
    ssi_types *;
    add_before_body /denied.html;
}
END

write_file("$nginx->{root}/html/denied.html", "denied\n");
my $http2 = http2_client($ENV{TEST_NGINX_FREE_PORT_1});

sub bearer { [Authorization => "Bearer $_[0]"] }

sub with { bearer(token(@_)) }

sub claims { with(claims => { @_ }) }

my $good = token();
my $json = 'application/json';
my %title = (400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden',
             503 => 'Service Unavailable');
my %challenge = (
    none => undef,
    bare => qr/\ABearer realm="localhost"\z/,
    request => qr/\ABearer realm="localhost", error="invalid_request"\z/,
    token => qr/\ABearer\ realm="localhost",\ error="invalid_token",\x20
                error_description="[\x20\x21\x23-\x5b\x5d-\x7e]+"\z/x,
    scope => qr/\ABearer\ realm="localhost",\ error="insufficient_scope",\x20
                scope="(?:read\ list|list\ read)"\z/x,
    write => qr/\ABearer\ realm="localhost",\ error="insufficient_scope",\x20
                scope="write"\z/x,
);

# What is wrong, what is asked, with which headers, and what comes of it.
my @refusal = (
    ['nothing', 'GET /', [], 401, 'no_credential', 'bare'],
    ['another scheme', 'GET /', [[Authorization => 'Basic eDp5']], 401,
     'no_credential', 'bare'],
    ['two credentials', 'GET /two', [bearer($good), ['X-Token' => $good]],
     400, 'credential_ambiguous', 'request'],
    ['an empty one', 'GET /', [[Authorization => 'Bearer']], 400,
     'credential_malformed', 'request'],
    ['one with a space', 'GET /', [bearer('a b')], 400,
     'credential_malformed', 'request'],
    ['a word', 'GET /', [bearer('x')], 401, 'token_malformed', 'token'],
    ['17 KiB', 'GET /', [with(claims => { x => 'y' x 12500 })], 401,
     'token_too_large', 'token'],
    ['a type', 'GET /', [with(header => { typ => 'dpop+jwt' })], 401,
     'token_type', 'token'],
    ['alg none', 'GET /', [with(header => { alg => 'none' })], 401,
     'token_algorithm', 'token'],
    ['crit', 'GET /', [with(header => { crit => ['x'], x => 1 })], 401,
     'token_critical', 'token'],
    ['an unknown key', 'GET /', [with(kid => 'nobody')], 401,
     'token_key_unknown', 'token'],
    ['a forged signature', 'GET /', [with(key => 'rsa2', kid => 'rsa1')],
     401, 'token_signature', 'token'],
    ['no claims', 'GET /', [with(payload => '[]')], 401, 'token_payload',
     'token'],
    ['an unknown issuer', 'GET /', [claims(iss => 'https://x.example.com')],
     401, 'token_issuer', 'token'],
    ['another audience', 'GET /', [claims(aud => 'x')], 401,
     'token_audience', 'token'],
    ['no subject', 'GET /', [claims(sub => undef)], 401, 'token_claims',
     'token'],
    ['too late', 'GET /', [claims(exp => $now - 3600)], 401,
     'token_expired', 'token'],
    ['too early', 'GET /', [claims(nbf => $now + 3600)], 401,
     'token_not_yet_valid', 'token'],
    ['revoked', 'GET /', [claims(sub => 'revoked')], 401, 'token_revoked',
     'token'],
    ['an issuer that does not count', 'GET /idp',
     [claims(iss => 'https://closed.example.com')], 403,
     'issuer_not_accepted', 'none'],
    ['somebody unknown', 'GET /',
     [claims(iss => 'https://closed.example.com')], 403, 'user_unknown',
     'none'],
    ['somebody suspended', 'GET /', [claims(sub => 'suspended')], 403,
     'user_suspended', 'none'],
    ['somebody deleted', 'GET /', [claims(sub => 'deleted')], 403,
     'user_deleted', 'none'],
    ['somebody expired', 'GET /', [claims(sub => 'expired')], 403,
     'user_expired', 'none'],
    ['no role', 'GET /role', [bearer($good)], 403, 'role_missing', 'none'],
    ['another method', 'POST /role', [claims(roles => 'reader')], 403,
     'method_not_permitted', 'none'],
    ['no scope', 'GET /scope', [bearer($good)], 403, 'scope_missing',
     'scope'],
    ['one scope of two', 'GET /scope', [claims(scope => 'list')], 403,
     'scope_missing', 'scope'],
    ['the scope of another method', 'POST /scope',
     [claims(scope => 'read list')], 403, 'scope_missing', 'write'],
);

sub problem {
    my ($status, $reason) = @_;

    return qr/\A\{"type":"about:blank","title":"\Q$title{$status}\E",
              "status":$status,"reason":"$reason",
              "request_id":"[0-9a-f]{32}"\}\n?\z/x;
}

sub ask {
    my ($client, $request, @header) = @_;

    return $client->ask(split(/ /, $request), headers => \@header);
}

sub is_refusal {
    my ($title, $answer, $status, $reason, $kind) = @_;

    my $header = $answer->{headers};
    is "$answer->{status} $header->{'x-reason'}", "$status $reason",
        "$title: status and reason";

    if ($challenge{$kind}) {
        like $header->{'www-authenticate'} // '', $challenge{$kind},
            "$title: challenge";
    } else {
        is $header->{'www-authenticate'}, undef, "$title: no challenge";
    }

    is $header->{'retry-after'}, $status == 503 ? 1 : undef,
        "$title: Retry-After";
}

sub is_page {
    my ($title, $answer) = @_;

    is $answer->{headers}{'content-type'}, 'text/html',
        "$title: nginx's own page";
    like $answer->{body}, qr/<h1>$answer->{status} /, "$title: for a person";
}

sub is_problem {
    my ($title, $answer, $status, $reason) = @_;

    like $answer->{headers}{'content-type'},
        qr{\Aapplication/problem\+json(?:;|\z)}, "$title: a problem";
    like $answer->{body}, problem($status, $reason), "$title: its members";
    is $answer->{headers}{'content-length'}, length $answer->{body},
        "$title: its length";
}

for ([$nginx, 'HTTP/1.1'], [$http2, 'HTTP/2']) {
    my ($client, $version) = @$_;

    for (@refusal) {
        my ($what, $request, $header, $status, $reason, $kind) = @$_;
        my $title = "$version, $what";

        my $answer = ask($client, $request, @$header);
        is_refusal($title, $answer, $status, $reason, $kind);
        is_page($title, $answer);

        $answer = ask($client, $request, @$header, [Accept => $json]);
        is_refusal("$title, JSON", $answer, $status, $reason, $kind);
        is_problem($title, $answer, $status, $reason);
    }
}

is ask($nginx, 'GET /', bearer($good), [Accept => $json])->{body},
    "index\n", 'and who is let in gets what was asked for';


# Where the realm comes from is in the tests of merging; here is how it looks.

for (['named', '"the api"'], ['odd', '"say \\"hi\\" \\\\ there"'],
     ['utf8', '"z' . "\xc3\xbc" . 'rich"']) {
    my ($uri, $realm) = @$_;
    my $answer = ask($nginx, "GET /realm/$uri");
    is $answer->{headers}{'www-authenticate'}, "Bearer realm=$realm",
        "realm $uri";
    $answer = ask($nginx, "GET /realm/$uri", bearer('x'));
    like $answer->{headers}{'www-authenticate'},
        qr/\ABearer realm=\Q$realm\E, error="invalid_token", /,
        "realm $uri, with an error";
}


# Who takes JSON.

for ('application/json', 'application/problem+json', 'Application/JSON',
     'application/json; charset=utf-8', 'application/json;q=0.1',
     'application/json;q=1.000', 'text/html, application/json',
     'text/html,application/problem+json;q=0.5', 'a/b;q=0,application/json',
     'application/json;q=0, application/problem+json',
     " \tapplication/json\t ", ',,application/json', '*/*, application/json',
     join(',', ('a/b') x 500, 'application/json')) {
    my $answer = ask($nginx, 'GET /role', bearer($good), [Accept => $_]);
    is_problem('Accept: ' . substr($_, 0, 60), $answer, 403,
               'role_missing');
}

for ('', '*/*', 'application/*', 'text/html', 'application/jsonp',
     'application/json+x', 'xapplication/json', 'application/json;q=0',
     'application/json; q=0.0', 'application/json ;Q=0.000',
     'application/vnd.api+json', 'json', 'text/html; x=application/json',
     'application/json;q=0, application/problem+json;q=0', ';', '=',
     'application /json', 'application/ json', ',' x 5000) {
    my $answer = ask($nginx, 'GET /role', bearer($good), [Accept => $_]);
    is_page('Accept: ' . substr($_, 0, 60), $answer);
}

is_problem('two Accept headers', ask($nginx, 'GET /role', bearer($good),
    [Accept => 'text/html'], [Accept => $json]), 403, 'role_missing');
is_page('a header with a longer name', ask($nginx, 'GET /role',
    bearer($good), ['Accepts' => $json]));
is_page('a header with a shorter name', ask($nginx, 'GET /role',
    bearer($good), ['Accep' => $json]));


# HEAD, HTTP/1.0, one connection for many.

my $get = ask($nginx, 'GET /role', bearer($good), [Accept => $json]);
for ([$nginx, 'HTTP/1.1'], [$http2, 'HTTP/2']) {
    my ($client, $version) = @$_;
    my $head = ask($client, 'HEAD /role', bearer($good), [Accept => $json]);
    is $head->{status}, 403, "HEAD, $version";
    is $head->{headers}{'content-type'}, 'application/problem+json',
        "HEAD, $version: its type";
    is $head->{headers}{'content-length'}, length $get->{body},
        "HEAD, $version: its length";
    is $head->{body}, '', "HEAD, $version: and no body";
}

my $c = $nginx->connect;
for my $n (1 .. 4) {
    $c->ask('HEAD', '/role', token => $good, headers => [[Accept => $json]]);
    is $c->answer(head => 1)->{status}, 403, "HEAD, then";
    $c->ask('GET', '/role', token => $good, headers => [[Accept => $json]]);
    like $c->answer->{body}, problem(403, 'role_missing'), 'JSON, then';
    $c->ask('POST', '/role', body => 'x' x 5000);
    like $c->answer->{body}, qr/<h1>401/, 'a page, then';
    $c->ask('GET', '/', token => $good);
    is $c->answer->{body}, "index\n", 'what was asked for, on one connection';
}
$c->close;

my @old = $nginx->raw("GET /role HTTP/1.0\r\nAuthorization: Bearer $good\r\n"
                      . "Accept: $json\r\n\r\n");
is scalar(@old), 1, 'HTTP/1.0: one answer, and the end';
is_problem('HTTP/1.0', $old[0], 403, 'role_missing');
like $old[0]{raw}, qr/^Connection: close\r$/m, 'HTTP/1.0: says so';
unlike $old[0]{raw}, qr/^Transfer-Encoding/m, 'HTTP/1.0: no chunks';

$c = $nginx->connect;
$c->send("GET /role HTTP/1.0\r\nConnection: keep-alive\r\n"
         . "Accept: $json\r\n\r\n") for 1 .. 2;
is $c->answer->{status}, 401, "HTTP/1.0, kept alive, $_" for 1 .. 2;
$c->close;


# The problem's id is the request's.

my %seen;
for (1 .. 3) {
    my $answer = ask($nginx, 'GET /', [Accept => $json]);
    my $id = JSON::PP::decode_json($answer->{body})->{request_id};
    is $id, $answer->{headers}{'x-request'}, 'request_id is $request_id';
    ok !$seen{$id}++, 'and of this request alone';
}


# error_page and other modules have the last word.

for my $accept ($json, 'text/html') {
    my @header = (bearer($good), [Accept => $accept]);

    for (['uri', 403, qr/\Adenied\n\z/], ['answer', 200, qr/\Adenied\n\z/],
         ['named', 403, qr/\Adenied\n\z/],
         ['backend', 403, qr/\Abackend\n\z/],
         ['url', 302, qr/<h1>302/]) {
        my ($uri, $status, $body) = @$_;
        my $answer = ask($nginx, "GET /page/$uri", @header);
        is $answer->{status}, $status, "error_page, $uri, $accept";
        like $answer->{body}, $body, "error_page, $uri, $accept: its body";
        unlike $answer->{headers}{'content-type'} // '', qr/json/,
            "error_page, $uri, $accept: its type";
    }
}

is_problem('error_page of another status', ask($nginx, 'GET /page/other',
    bearer($good), [Accept => $json]), 403, 'role_missing');
is_problem('error_page that is refused as well', ask($nginx,
    'GET /page/on', bearer($good), [Accept => $json]), 403, 'role_missing');

for (['/backend/401', 401, 'ok', 'Basic realm="backend"'],
     ['/backend/403', 403, 'ok', undef], ['/backend/503', 503, 'ok', undef],
     ['/any/200', 200, 'role_missing', undef],
     ['/any/401', 401, 'role_missing', 'Basic realm="backend"'],
     ['/any/403', 403, 'role_missing', undef],
     ['/any/401', 401, 'no_credential', 'Basic realm="backend"']) {
    my ($uri, $status, $reason, $challenge) = @$_;
    my $answer = ask($nginx, "GET $uri", [Accept => $json],
                     $reason eq 'no_credential' ? () : bearer($good));
    is "$answer->{status} $answer->{headers}{'x-reason'}",
        "$status $reason", "$uri: the status is the backend's";
    is $answer->{body}, "backend\n", "$uri: and the body";
    is $answer->{headers}{'www-authenticate'}, $challenge,
        "$uri: and the challenge";
    is $answer->{headers}{'retry-after'}, undef, "$uri: nothing of ours";
}

is_page('refused by auth_request after we allowed', ask($nginx,
    'GET /asked/no', bearer($good), [Accept => $json]));


# Filters and whims of clients leave the body whole.

for (['gzip', 'Accept-Encoding' => 'gzip'], ['a range', Range => 'bytes=0-5'],
     ['an old browser', 'User-Agent' => 'Mozilla/4.0 (MSIE 6.0; X)'],
     ['a condition', 'If-None-Match' => '*'],
     ['a date', 'If-Modified-Since' => 'Fri, 01 Jan 2999 00:00:00 GMT']) {
    my ($title, @header) = @$_;

    for my $uri ('/role', '/filtered') {
        my $answer = ask($nginx, "GET $uri", bearer($good), [@header],
                         [Accept => $json]);
        is $answer->{status}, 403, "$uri, $title";
        my $body = $answer->{body};

        if (($answer->{headers}{'content-encoding'} // '') eq 'gzip') {
            my $packed = $body;
            gunzip(\$packed => \$body);
        }

        like $body, problem(403, 'role_missing'), "$uri, $title: whole";
    }
}


# Nothing of a token, of keys or of other users.

my @claim = (claims => { sub => 'alice-the-secret', jti => 'secret-jti',
                         aud => ['api', 'secret-aud'], email => 'a@secret',
                         preferred_username => 'secret-name' });
my @token = (token(@claim), token(@claim, key => 'rsa2', kid => 'rsa1'),
             token(@claim, kid => 'secret-kid'),
             token(claims => { %{ $claim[1] }, exp => 1 }),
             token(claims => { %{ $claim[1] }, aud => 'secret-aud' }),
             tamper(token(@claim), 2, sub { substr $_[0], 1 }));

for my $token (@token) {
    for my $accept ($json, 'text/html') {
        for my $uri (qw(/role /scope /two /page/on /realm/odd)) {
            my $raw = ask($nginx, "GET $uri", bearer($token),
                          [Accept => $accept])->{raw};
            my @part = grep { length > 3 && index($raw, $_) >= 0 }
                split(/\./, $token), map { substr $_, 0, 20 }
                split /\./, $token;
            my $told = $raw =~ /secret|rsa[12]|idp\.example|suspended|u_A/;
            is "@part " . ($told ? $raw : ''), ' ',
                "nothing is told at $uri, $accept";
        }
    }
}


# Nobody knows.

$redis->stop;
select undef, undef, undef, 0.3;

for ([$nginx, 'HTTP/1.1'], [$http2, 'HTTP/2']) {
    my ($client, $version) = @$_;
    my $title = "$version, no store";
    my @header = claims(sub => "new $version");

    my $answer = ask($client, 'GET /', @header);
    is_refusal($title, $answer, 503, 'store_unavailable', 'none');
    is_page($title, $answer);

    $answer = ask($client, 'GET /', @header, [Accept => $json]);
    is_refusal("$title, JSON", $answer, 503, 'store_unavailable', 'none');
    is_problem($title, $answer, 503, 'store_unavailable');
}

done_testing;
