# What a server, a location and a limit_except inherit: lines of one kind
# come down as a whole, and a level with lines of its own has only these.

use lib 't/lib';
use ProxyUser qw(:blocks);
use Test::Nginx::Socket;

repeat_each(2);
plan tests => repeat_each() * (3 * 73 + 12);

our $reader = token(claims => { roles => ['reader'], scope => 'read' });
our $writer = token(claims => { sub => 'bob', roles => ['writer'],
                                scope => 'write' });
our $plain = token(claims => { sub => 'carol' });
our $other = token(key => 'rsa2', claims => {
    iss => 'https://other.example.com', sub => 'dave' });

# Two issuers, so that proxy_user_accept has something to say.
our $issuers = 'proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
}
proxy_user_issuer other {
    issuer https://other.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
}
';

run_tests();

__DATA__

=== TEST 1: proxy_user comes down from http and is said again below
--- http_config
proxy_user on;
--- config
    location /inherited { proxy_pass $TEST_NGINX_BACKEND; }
    location /off {
        proxy_user off;
        proxy_pass $TEST_NGINX_BACKEND;
        location /off/on {
            proxy_user on;
            proxy_pass $TEST_NGINX_BACKEND;
        }
        location /off/too { proxy_pass $TEST_NGINX_BACKEND; }
    }
    location /optional {
        proxy_user optional;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
[
    ['inherited', 'GET /inherited', undef, 401, 'no_credential'],
    ['inherited, alice', 'GET /inherited', $::plain, 200, 'ok'],
    ['off', 'GET /off', undef, 200, ''],
    ['off, a bad token', 'GET /off', 'x', 200, ''],
    ['on below off', 'GET /off/on', undef, 401, 'no_credential'],
    ['below off', 'GET /off/too', undef, 200, ''],
    ['optional', 'GET /optional', undef, 200, 'anonymous'],
    ['optional, a bad token', 'GET /optional', 'x', 401, 'token_malformed'],
]



=== TEST 2: the default is off
--- config
    location /a { proxy_pass $TEST_NGINX_BACKEND; }
--- cases eval
[
    ['nobody', 'GET /a', undef, 200, ''],
    ['anybody', 'GET /a', 'x', 200, ''],
]



=== TEST 3: limit_except is a level like any other
--- config
    location /writing {
        limit_except GET { proxy_user on; }
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /reading {
        proxy_user on;
        limit_except GET { proxy_user off; }
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /inherits {
        proxy_user on;
        proxy_user_role writer;
        limit_except GET { deny 192.0.2.1; }
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /replaces {
        proxy_user on;
        proxy_user_role writer;
        limit_except GET { proxy_user_role reader; }
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
[
    ['writing, GET', 'GET /writing', undef, 200, ''],
    ['writing, HEAD', 'HEAD /writing', undef, 200, ''],
    ['writing, POST', 'POST /writing', undef, 401, 'no_credential'],
    ['writing, FOO', 'FOO /writing', undef, 401, 'no_credential'],
    ['writing, alice', 'POST /writing', $::plain, 200, 'ok'],
    ['reading, GET', 'GET /reading', undef, 401, 'no_credential'],
    ['reading, POST', 'POST /reading', undef, 200, ''],
    ['inherits, GET', 'GET /inherits', $::reader, 403, 'role_missing'],
    ['inherits, POST', 'POST /inherits', $::reader, 403, 'role_missing'],
    ['inherits, writer', 'POST /inherits', $::writer, 200, 'ok'],
    ['replaces, GET', 'GET /replaces', $::reader, 403, 'role_missing'],
    ['replaces, writer', 'GET /replaces', $::writer, 200, 'ok'],
    ['replaces, POST', 'POST /replaces', $::reader, 200, 'ok'],
    ['replaces, POST, writer', 'POST /replaces', $::writer, 403,
     'role_missing'],
]



=== TEST 4: role lines are inherited together or replaced together
--- http_config
proxy_user on;
proxy_user_role reader GET;
proxy_user_role writer POST;
--- config
    location /inherited { proxy_pass $TEST_NGINX_BACKEND; }
    location /replaced {
        proxy_user_role writer GET;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /scoped {
        proxy_user_scope read;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
[
    ['reader', 'GET /inherited', $::reader, 200, 'ok'],
    ['writer', 'POST /inherited', $::writer, 200, 'ok'],
    ['reader writes', 'POST /inherited', $::reader, 403,
     'method_not_permitted'],
    ['writer reads', 'GET /inherited', $::writer, 403,
     'method_not_permitted'],
    ['nobody in particular', 'GET /inherited', $::plain, 403,
     'role_missing'],
    ['replaced, reader', 'GET /replaced', $::reader, 403, 'role_missing'],
    ['replaced, writer', 'GET /replaced', $::writer, 200, 'ok'],
    ['replaced, nothing of the old lines', 'POST /replaced', $::writer, 403,
     'method_not_permitted'],
    ['a scope line leaves the roles', 'GET /scoped', $::reader, 200, 'ok'],
    ['a scope line leaves the roles, POST', 'POST /scoped', $::reader, 403,
     'method_not_permitted'],
]



=== TEST 5: scope lines are inherited together or replaced together
--- config
    proxy_user on;
    proxy_user_scope read GET;
    proxy_user_scope write POST;
    location /inherited { proxy_pass $TEST_NGINX_BACKEND; }
    location /replaced {
        proxy_user_scope write GET;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /roles {
        proxy_user_role reader writer;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
[
    ['read', 'GET /inherited', $::reader, 200, 'ok'],
    ['write', 'POST /inherited', $::writer, 200, 'ok'],
    ['read writes', 'POST /inherited', $::reader, 403, 'scope_missing'],
    ['write reads', 'GET /inherited', $::writer, 403, 'scope_missing'],
    ['no line for PUT', 'PUT /inherited', $::plain, 200, 'ok'],
    ['replaced', 'GET /replaced', $::reader, 403, 'scope_missing'],
    ['replaced, write', 'GET /replaced', $::writer, 200, 'ok'],
    ['replaced, no line for POST', 'POST /replaced', $::plain, 200, 'ok'],
    ['a role line leaves the scopes', 'GET /roles', $::writer, 403,
     'scope_missing'],
]



=== TEST 6: proxy_user_accept is inherited or replaced
--- http_config eval: $::issuers
--- config
    proxy_user on;
    proxy_user_accept idp;
    location /inherited { proxy_pass $TEST_NGINX_BACKEND; }
    location /replaced {
        proxy_user_accept other;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /both {
        proxy_user_accept idp other;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
[
    ['idp', 'GET /inherited', $::plain, 200, 'ok'],
    ['other', 'GET /inherited', $::other, 403, 'issuer_not_accepted',
     '!WWW-Authenticate'],
    ['replaced, idp', 'GET /replaced', $::plain, 403, 'issuer_not_accepted',
     '!WWW-Authenticate'],
    ['replaced, other', 'GET /replaced', $::other, 200, 'ok'],
    ['both, idp', 'GET /both', $::plain, 200, 'ok'],
    ['both, other', 'GET /both', $::other, 200, 'ok'],
    ['an unknown one', 'GET /both', main::token(claims => {
        iss => 'https://nobody.example.com' }), 401, 'token_issuer'],
]



=== TEST 7: proxy_user_credential is inherited or replaced
--- config
    proxy_user on;
    proxy_user_credential header=X-Token;
    location /inherited { proxy_pass $TEST_NGINX_BACKEND; }
    location /replaced {
        proxy_user_credential cookie=t;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
[
    ['header', 'GET /inherited', { 'X-Token' => $::plain }, 200, 'ok'],
    ['no bearer', 'GET /inherited', $::plain, 401, 'no_credential'],
    ['no header', 'GET /replaced', { 'X-Token' => $::plain }, 401,
     'no_credential'],
    ['cookie', 'GET /replaced', { Cookie => "t=$::plain" }, 200, 'ok'],
    ['no cookie', 'GET /inherited', { Cookie => "t=$::plain" }, 401,
     'no_credential'],
]



=== TEST 8: proxy_user_realm is inherited or replaced, and else the server name
--- http_config
proxy_user on;
proxy_user_realm all;
server {
    listen $TEST_NGINX_SERVER_PORT;
    server_name second.example.com third.example.com;
    proxy_user_realm second;
    location / { }
}
--- config
    location /inherited { }
    location /replaced { proxy_user_realm "my api"; }
--- cases eval
my $second = { Host => 'second.example.com' };
[
    ['http', 'GET /inherited', undef, 401, 'no_credential',
     'WWW-Authenticate: Bearer realm="all"'],
    ['location', 'GET /replaced', undef, 401, 'no_credential',
     'WWW-Authenticate: Bearer realm="my api"'],
    ['server', 'GET /', $second, 401, 'no_credential',
     'WWW-Authenticate: Bearer realm="second"'],
]



=== TEST 9: without a realm it is the server's name
--- http_config
server {
    listen $TEST_NGINX_SERVER_PORT;
    server_name second.example.com third.example.com;
    location / { proxy_user on; }
}
--- config
    location /a { proxy_user on; }
--- cases eval
[
    ['first', 'GET /a', undef, 401, 'no_credential',
     'WWW-Authenticate: Bearer realm="localhost"'],
    ['second', 'GET /', { Host => 'second.example.com' }, 401,
     'no_credential', 'WWW-Authenticate: Bearer realm="second.example.com"'],
    ['second by its other name', 'GET /', { Host => 'third.example.com' },
     401, 'no_credential',
     'WWW-Authenticate: Bearer realm="second.example.com"'],
    ['not what the client says', 'GET /', { Host => 'evil.example.com' },
     401, 'no_credential',
     'WWW-Authenticate: Bearer realm="second.example.com"'],
]



=== TEST 10: proxy_user_strip is inherited, replaced or off
--- http_config
proxy_user_strip X-Id;
server {
    listen 127.0.0.1:$TEST_NGINX_FREE_PORT_1;
    location / {
        add_header X-Got "$http_x_id,$http_x_proxy_user_id,$http_x_other";
        return 204;
    }
}
--- config
    location /inherited {
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_1;
    }
    location /replaced {
        proxy_user_strip X-Proxy-User X-Other;
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_1;
    }
    location /off {
        proxy_user_strip off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_1;
    }
--- cases eval
my $h = { 'X-Id' => 1, 'X-Proxy-User-Id' => 2, 'X-Other' => 3 };
[
    ['inherited', 'GET /inherited', $h, 204, '', 'X-Got: ,2,3'],
    ['replaced', 'GET /replaced', $h, 204, '', 'X-Got: 1,,'],
    ['off', 'GET /off', $h, 204, '', 'X-Got: 1,2,3'],
]



=== TEST 11: an if block is its location, and takes nothing away
--- config
    location /a {
        proxy_user on;
        proxy_user_role reader GET;
        proxy_pass $TEST_NGINX_BACKEND;
        if ($arg_x) {
            set $y 1;
        }
    }
--- cases eval
[
    ['nobody', 'GET /a?x=1', undef, 401, 'no_credential'],
    ['reader', 'GET /a?x=1', $::reader, 200, 'ok'],
    ['writer', 'GET /a?x=1', $::writer, 403, 'role_missing'],
    ['reader writes', 'POST /a?x=1', $::reader, 403,
     'method_not_permitted'],
]



=== TEST 12: nothing of one server is in force in another
--- http_config
server {
    listen $TEST_NGINX_SERVER_PORT;
    server_name second.example.com;
    proxy_user on;
    proxy_user_role writer;
    location / { proxy_pass $TEST_NGINX_BACKEND; }
}
--- config
    proxy_user on;
    proxy_user_role reader;
    location /a { proxy_pass $TEST_NGINX_BACKEND; }
--- cases eval
my $second = sub { { Host => 'second.example.com',
                     Authorization => "Bearer $_[0]" } };
[
    ['reader in the first', 'GET /a', $::reader, 200, 'ok'],
    ['writer in the first', 'GET /a', $::writer, 403, 'role_missing'],
    ['reader in the second', 'GET /a', $second->($::reader), 403,
     'role_missing'],
    ['writer in the second', 'GET /a', $second->($::writer), 200, 'ok'],
]
