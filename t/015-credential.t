# Where a credential comes from, what counts as none, as two, as malformed,
# and what a caller without a good one is told.

use lib 't/lib';
use ProxyUser qw(:blocks);
use Test::Nginx::Socket;

repeat_each(2);
plan tests => repeat_each() * (3 * 56 + 93);

our $alice = token();
our $bob = token(claims => { sub => 'bob' });

run_tests();

__DATA__

=== TEST 1: C4: header, cookie and query are taken where they are named
--- http_config
underscores_in_headers on;
--- config
    proxy_user on;
    location /header {
        proxy_user_credential header=X-Token;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /cookie {
        proxy_user_credential cookie=session;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /query {
        proxy_user_credential query=access_token;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /bearer { proxy_pass $TEST_NGINX_BACKEND; }
--- cases eval
my $t = $::alice;
[
    ['header', 'GET /header', { 'X-Token' => $t }, 200, 'ok'],
    ['header in small letters', 'GET /header', { 'x-token' => $t }, 200,
     'ok'],
    ['header with Bearer', 'GET /header', { 'X-Token' => "Bearer $t" }, 401,
     'token_malformed'],
    ['header, another name', 'GET /header', { 'X-Token2' => $t }, 401,
     'no_credential'],
    ['header with an underscore', 'GET /header', { 'X_Token' => $t }, 401,
     'no_credential'],
    ['header empty', 'GET /header', { 'X-Token' => '' }, 401,
     'token_malformed'],
    ['header not a token', 'GET /header', { 'X-Token' => 'x' }, 401,
     'token_malformed'],
    ['header, and a token as bearer', 'GET /header', $t, 401,
     'no_credential'],
    ['cookie', 'GET /cookie', { Cookie => "session=$t" }, 200, 'ok'],
    ['cookie among others', 'GET /cookie',
     { Cookie => "a=1; session=$t; b=2" }, 200, 'ok'],
    ['cookie, another name', 'GET /cookie', { Cookie => "xsession=$t" },
     401, 'no_credential'],
    ['cookie, a longer name', 'GET /cookie', { Cookie => "session2=$t" },
     401, 'no_credential'],
    ['cookie, not a token', 'GET /cookie', { Cookie => 'session=x' }, 401,
     'token_malformed'],
    ['cookie, as bearer', 'GET /cookie', $t, 401, 'no_credential'],
    ['query', "GET /query?access_token=$t", undef, 200, 'ok'],
    ['query among others', "GET /query?a=1&access_token=$t&b=2", undef, 200,
     'ok'],
    ['query, another name', "GET /query?xaccess_token=$t", undef, 401,
     'no_credential'],
    ['query, not a token', 'GET /query?access_token=x', undef, 401,
     'token_malformed'],
    ['query, as bearer', 'GET /query', $t, 401, 'no_credential'],
    ['bearer', 'GET /bearer', $t, 200, 'ok'],
    ['bearer in the query', "GET /bearer?access_token=$t", undef, 401,
     'no_credential'],
    ['bearer in a cookie', 'GET /bearer', { Cookie => "session=$t" }, 401,
     'no_credential'],
    ['bearer in another header', 'GET /bearer', { 'X-Token' => $t }, 401,
     'no_credential'],
    ['bearer for the proxy', 'GET /bearer',
     { 'Proxy-Authorization' => "Bearer $t" }, 401, 'no_credential'],
    ['bearer in an override', 'GET /bearer',
     { 'X-Forwarded-Authorization' => "Bearer $t" }, 401, 'no_credential'],
]



=== TEST 2: C2, C3: two credentials are one too many, even twice the same
--- config
    proxy_user on;
    proxy_user_credential bearer header=X-Token cookie=session
                          query=access_token;
    location /a { proxy_pass $TEST_NGINX_BACKEND; }
--- cases eval
my ($t, $b) = ($::alice, "Bearer $::alice");
my $two = sub {
    my ($title, $uri, $headers) = @_;
    [$title, "GET $uri", $headers, 400, 'credential_ambiguous',
     'WWW-Authenticate: Bearer realm="localhost", error="invalid_request"'];
};
[
    ['one', 'GET /a', $t, 200, 'ok', '!WWW-Authenticate'],
    $two->('bearer and header', '/a', { Authorization => $b,
                                        'X-Token' => $t }),
    $two->('bearer and cookie', '/a', { Authorization => $b,
                                        Cookie => "session=$t" }),
    $two->('bearer and query', "/a?access_token=$t",
           { Authorization => $b }),
    $two->('header and cookie', '/a', { 'X-Token' => $t,
                                        Cookie => "session=$t" }),
    $two->('header and query', "/a?access_token=$t", { 'X-Token' => $t }),
    $two->('cookie and query', "/a?access_token=$t",
           { Cookie => "session=$t" }),
    $two->('all four', "/a?access_token=$t", { 'X-Token' => $t,
           Cookie => "session=$t", Authorization => $b }),
    $two->('good and bad', '/a', { Authorization => $b, 'X-Token' => 'x' }),
    $two->('bad and good', '/a', { Authorization => 'Bearer x',
                                   'X-Token' => $t }),
    $two->('header twice', '/a', { 'X-Token' => $t, 'x-token' => $t }),
    $two->('header twice, two people', '/a', { 'X-Token' => $t,
                                               'x-token' => $::bob }),
    $two->('cookie twice', '/a', { Cookie => "session=$t; session=$t" }),
    $two->('cookie in two headers', '/a', { Cookie => "session=$t",
                                            cookie => "session=$t" }),
    $two->('query twice', "/a?access_token=$t&access_token=$t", undef),
    ['another scheme is no credential', 'GET /a',
     { Authorization => 'Basic eDp5', 'X-Token' => $t }, 200, 'ok',
     '!WWW-Authenticate'],
]



=== TEST 3: C3, C4: a place that is not named here does not count, also not as a second
--- config
    proxy_user on;
    location /a { proxy_pass $TEST_NGINX_BACKEND; }
--- cases eval
[
    ['cookie', 'GET /a', { Authorization => "Bearer $::alice",
                           Cookie => "session=$::bob" }, 200, 'ok'],
    ['query', "GET /a?access_token=$::bob", $::alice, 200, 'ok'],
    ['header', 'GET /a', { Authorization => "Bearer $::alice",
                           'X-Token' => $::bob }, 200, 'ok'],
]



=== TEST 4: C2: two Authorization headers are nginx's own 400
--- config
    location /a { proxy_user on; proxy_pass $TEST_NGINX_BACKEND; }
--- raw_request eval
"GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $::alice\r
Authorization: Bearer $::alice\r\nConnection: close\r\n\r\n"
--- error_code: 400



=== TEST 5: C6: a tab before the scheme is a bad credential, not none
--- config
    location /a { proxy_user optional; proxy_pass $TEST_NGINX_BACKEND; }
--- raw_request eval
"GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization:\tBearer $::alice\r
Connection: close\r\n\r\n"
--- error_code: 401



=== TEST 6: C6: a tab behind the scheme opens nothing
--- config
    location /a { proxy_user on; proxy_pass $TEST_NGINX_BACKEND; }
--- raw_request eval
"GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer\t$::alice\r
Connection: close\r\n\r\n"
--- error_code_like: ^40[01]$



=== TEST 7: C6: a folded header opens nothing
--- config
    location /a { proxy_user on; proxy_pass $TEST_NGINX_BACKEND; }
--- raw_request eval
"GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer\r
 $::alice\r\nConnection: close\r\n\r\n"
--- error_code: 400



=== TEST 8: C8: a NUL in the token opens nothing
--- config
    location /a { proxy_user on; proxy_pass $TEST_NGINX_BACKEND; }
--- raw_request eval
"GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $::alice\0x\r
Connection: close\r\n\r\n"
--- error_code: 400



=== TEST 9: C5: a token in the body is none
--- config
    location /a { proxy_user on; proxy_pass $TEST_NGINX_BACKEND; }
--- request eval
"POST /a
access_token=$::alice"
--- more_headers
Content-Type: application/x-www-form-urlencoded
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer realm="localhost"



=== TEST 10: optional: nobody is let in as nobody, a bad token is refused
--- config
    proxy_user optional;
    location /a {
        $TEST_NGINX_X_CASE
        add_header X-Who "[$proxy_user_decision,$proxy_user_id]" always;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /role {
        proxy_user_role reader;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /scope {
        proxy_user_scope read;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
my $bare = 'WWW-Authenticate: Bearer realm="localhost"';
my $b = sub { { Authorization => $_[0] } };
[
    ['nobody', 'GET /a', undef, 200, 'anonymous', 'X-Who: [anonymous,]',
     '!WWW-Authenticate'],
    ['Basic', 'GET /a', $b->('Basic eDp5'), 200, 'anonymous',
     'X-Who: [anonymous,]', '!WWW-Authenticate'],
    ['no token', 'GET /a', $b->('Bearer'), 400, 'credential_malformed'],
    ['two words', 'GET /a', $b->('Bearer x y'), 400,
     'credential_malformed'],
    ['a word', 'GET /a', 'x', 401, 'token_malformed', 'X-Who: [deny,]'],
    ['expired', 'GET /a', main::token(claims => { exp => 1 }), 401,
     'token_expired'],
    ['forged', 'GET /a', main::token(key => 'rsa2', kid => 'rsa1'), 401,
     'token_signature', 'X-Who: [deny,]'],
    ['alice', 'GET /a', $::alice, 200, 'ok'],
    ['nobody has no role', 'GET /role', undef, 401, 'no_credential', $bare],
    ['nobody has no scope', 'GET /scope', undef, 401, 'no_credential',
     $bare],
    ['alice has no role', 'GET /role', $::alice, 403, 'role_missing',
     '!WWW-Authenticate'],
    ['a reader has', 'GET /role', main::token(claims =>
     { sub => 'r', roles => 'reader' }), 200, 'ok'],
]



=== TEST 11: C1: the challenges of RFC 6750
--- http_config
$TEST_NGINX_X_CASE
--- config
    proxy_user on;
    location /a { proxy_pass $TEST_NGINX_BACKEND; }
    location /scope {
        proxy_user_scope write read GET;
        proxy_user_scope read admin;
        proxy_user_scope never POST;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- request eval
[map { $_ x 1 } 'GET /a', 'GET /a', 'GET /a', 'GET /scope', 'DELETE /scope']
--- more_headers eval
['X-Title: none', "X-Title: bad\nAuthorization: Bearer x",
 "X-Title: malformed\nAuthorization: Bearer",
 map { "X-Title: scope\nAuthorization: Bearer $::alice" } 1, 2]
--- error_code eval
[401, 401, 400, 403, 403]
--- response_headers_like eval
['WWW-Authenticate: Bearer realm="localhost"',
 'WWW-Authenticate: Bearer realm="localhost", error="invalid_token", '
 . 'error_description="[^"\\\\]+"',
 'WWW-Authenticate: Bearer realm="localhost", error="invalid_request"',
 'WWW-Authenticate: Bearer realm="localhost", error="insufficient_scope", '
 . 'scope="(?=.*\bwrite\b)(?=.*\bread\b)(?=.*\badmin\b)\w+ \w+ \w+"',
 'WWW-Authenticate: Bearer realm="localhost", error="insufficient_scope", '
 . 'scope="(?:read admin|admin read)"']



=== TEST 12: a client that takes JSON gets the problem, others nginx's page
--- config
    proxy_user on;
    location /a { proxy_user_role admin; }
    location /page {
        proxy_user_role admin;
        error_page 403 /denied;
    }
    location = /denied { internal; proxy_user off; return 403 "denied\n"; }
--- request eval
['GET /a', 'GET /a', 'GET /a', 'GET /a', 'HEAD /a', 'GET /page']
--- more_headers eval
my $b = "Authorization: Bearer $::alice\n";
["${b}Accept: application/json", "${b}Accept: application/problem+json",
 "Accept: text/html, application/json", "${b}Accept: text/html",
 "${b}Accept: application/json", "${b}Accept: application/json"]
--- error_code eval
[403, 403, 401, 403, 403, 403]
--- response_body eval
my $problem = sub {
    my ($title, $status, $reason) = @_;
    qr/\A\{"type":"about:blank","title":"$title","status":$status,
       "reason":"$reason","request_id":"[0-9a-f]{32}"\}\s*\z/x;
};
[$problem->('Forbidden', 403, 'role_missing'),
 $problem->('Forbidden', 403, 'role_missing'),
 $problem->('Unauthorized', 401, 'no_credential'),
 qr/<h1>403 Forbidden/, '', "denied\n"]
--- response_headers_like eval
my $json = 'Content-Type: application/problem\+json.*';
[$json, $json, $json, 'Content-Type: text/html', $json,
 'Content-Type: text/plain']



=== TEST 13: the answer to a bad token has nothing of the token in it
--- config
    location /a { proxy_user on; }
--- request
GET /a
--- more_headers eval
"Accept: application/json
Authorization: Bearer " . main::token(key => 'rsa2', kid => 'rsa1',
    claims => { sub => 'secret-subject', jti => 'secret-jti' })
--- error_code: 401
--- response_body_unlike: secret|eyJ|rsa1|alice|idp\.example
--- raw_response_headers_unlike: secret|eyJ|rsa1|alice|idp\.example



=== TEST 14: with many issuers and credentials, one request knows one person
--- config
    proxy_user on;
    location /a {
        add_header X-Sub $proxy_user_subject always;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- pipelined_requests eval
['GET /a', 'GET /a', 'GET /a', 'GET /a']
--- more_headers eval
["Authorization: Bearer $::alice", '', "Authorization: Bearer $::bob",
 'Authorization: Bearer x']
--- error_code eval
[200, 401, 200, 401]
--- response_headers eval
['X-Sub: alice', 'X-Sub:', 'X-Sub: bob', 'X-Sub:']
