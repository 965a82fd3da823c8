# The variables: what they say, that they are empty where they do not apply,
# and that nothing a token says can break a header.

use lib 't/lib';
use ProxyUser qw(:blocks);
use Test::Nginx::Socket;

repeat_each(2);
plan tests => repeat_each() * (3 * 46 + 59);

# Names as they would be written in $proxy_user_NAME.
our @names = qw(id name type issuer subject roles scopes handle credential
                decision reason rule cache token_cache time);

# X-V: id=...; name=...; ... for the names given.
sub variables { 'add_header X-V "' . join(' ', map { "$_=<\$proxy_user_$_>" }
                                          @_) . '" always;' }

our $alice = token(claims => { roles => ['writer', 'reader'],
                               scope => 'b a', name => 'x',
                               preferred_username => 'Alice A' });

run_tests();

__DATA__

=== TEST 1: who it is
--- config eval
'location /a {
    proxy_user on;
    $TEST_NGINX_X_CASE
    ' . ::variables(qw(name type issuer subject roles scopes decision)) . '
    add_header X-Credential $proxy_user_credential;
    proxy_pass $TEST_NGINX_BACKEND;
}'
--- cases eval
my $said = sub {
    my %v = (name => 'alice', type => 'human', issuer => 'idp',
             subject => 'alice', roles => '', scopes => '',
             decision => 'allow', @_);
    my @v = map { "$_=<$v{$_}>" } qw(name type issuer subject roles scopes
                                     decision);
    "X-V: @v\nX-Credential: bearer";
};
my $c = sub { main::token(claims => { @_ }) };
my $none = 'X-V: name=<> type=<> issuer=<> subject=<> roles=<> scopes=<> '
    . 'decision=<deny>';
[
    ['alice', 'GET /a', $::alice, 200, 'ok', $said->(
        name => 'Alice A', roles => 'reader writer', scopes => 'a b')],
    ['no display name', 'GET /a', $c->(sub => 'bob'), 200, 'ok',
     $said->(name => 'bob', subject => 'bob')],
    ['a service by client_id', 'GET /a', $c->(sub => 'svc',
        client_id => 'svc'), 200, 'ok',
     $said->(name => 'svc', subject => 'svc', type => 'service')],
    ['a service by azp', 'GET /a', $c->(sub => 'svc2', azp => 'svc2'), 200,
     'ok', $said->(name => 'svc2', subject => 'svc2', type => 'service')],
    ['a human with a client', 'GET /a', $c->(sub => 'hum',
        client_id => 'svc', azp => 'svc'), 200, 'ok',
     $said->(name => 'hum', subject => 'hum')],
    ['nobody', 'GET /a', undef, 401, 'no_credential',
     $none],
    ['not a token', 'GET /a', 'x', 401, 'token_malformed',
     $none],
    ['a forged token is not believed', 'GET /a', main::token(key => 'rsa2',
        kid => 'rsa1', claims => { roles => ['admin'] }), 401,
     'token_signature', $none],
]



=== TEST 2: user id, handle, caches, time
--- config eval
'location /a {
    proxy_user on;
    ' . ::variables(qw(id handle cache token_cache time)) . '
    proxy_pass $TEST_NGINX_BACKEND;
}'
--- request
GET /a
--- more_headers eval
"Authorization: Bearer $::alice"
--- response_headers_like eval
'X-V: id=<u_[A-Za-z0-9_-]{22}> handle=<sub:' . substr(
    main::handle_digest('alice'), 0, 16) . '> cache=<(?:hit|miss)> '
. 'token_cache=<(?:hit|miss)> time=<\d+\.\d{6}>'



=== TEST 3: empty where they do not apply
--- config eval
'location /off {
    $TEST_NGINX_X_CASE
    ' . ::variables(@::names) . '
    proxy_pass $TEST_NGINX_BACKEND;
}
location /optional {
    proxy_user optional;
    $TEST_NGINX_X_CASE
    ' . ::variables(grep { !/reason|decision|time/ } @::names) . '
    proxy_pass $TEST_NGINX_BACKEND;
}'
--- cases eval
my $empty = sub { my @v = map { "$_=<>" } @_; "X-V: @v" };
[
    ['off', 'GET /off', undef, 200, '', $empty->(@::names)],
    ['off, with a token', 'GET /off', $::alice, 200, '',
     $empty->(@::names)],
    ['optional, nobody', 'GET /optional', undef, 200, 'anonymous',
     $empty->(grep { !/reason|decision|time/ } @::names)],
]



=== TEST 4: claims: strings as they are, all else as compact JSON
--- config
    location /a {
        proxy_user on;
        $TEST_NGINX_X_CASE
        add_header X-V "<$proxy_user_claim_x>" always;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
my $n = 0;
my $claim = sub {
    my ($title, $json, $expected) = @_;
    [$title, 'GET /a', main::token(payload =>
        '{"iss":"https://idp.example.com","aud":"api","exp":4102444800,'
        . '"sub":"c' . ++$n . "\",\"x\":$json}"), 200, 'ok',
     "X-V: <$expected>"];
};
[
    $claim->('a string', '"hello world"', 'hello world'),
    $claim->('an empty string', '""', ''),
    $claim->('quotes and backslashes', '"a\"b\\\\c"', 'a"b\\c'),
    $claim->('a solidus', '"a\/b"', 'a/b'),
    $claim->('escaped letters', '"\u0061\u0062"', 'ab'),
    $claim->('UTF-8', "\"\xc3\xa9\"", "\xc3\xa9"),
    $claim->('UTF-8 escaped', '"\u00e9\ud83d\ude00"',
             "\xc3\xa9\xf0\x9f\x98\x80"),
    $claim->('a number', '17', '17'),
    $claim->('a number as it is written', '1.50', '1.50'),
    $claim->('a large number', '12345678901234567', '12345678901234567'),
    $claim->('true', 'true', 'true'),
    $claim->('false', 'false', 'false'),
    $claim->('null', 'null', 'null'),
    $claim->('an array', '[ 1, "a" , [ ] ]', '[1,"a",[]]'),
    $claim->('an object', "{ \"a\" : 1,\n \"b\":{} }", '{"a":1,"b":{}}'),
    $claim->('a line end', '"a\r\nX-Admin: yes"', ''),
    $claim->('a line feed', '"a\nb"', ''),
    $claim->('a tab', '"a\tb"', ''),
    $claim->('a DEL', '"a\u007fb"', ''),
    $claim->('a NUL', '"a\u0000b"', ''),
    $claim->('an escape', '"\u001b[2J"', ''),
    $claim->('a C1 byte is no control byte here', '"\u0085"', "\xc2\x85"),
    ['no such claim', 'GET /a', $::alice, 200, 'ok', 'X-V: <>'],
]



=== TEST 5: no claim becomes a header of the backend
--- http_config
server {
    listen 127.0.0.1:$TEST_NGINX_FREE_PORT_1;
    location / {
        add_header X-V "[$http_x_name][$http_x_claim][$http_x_admin]";
        return 204;
    }
}
--- config
    location /a {
        proxy_user on;
        $TEST_NGINX_X_CASE
        proxy_set_header X-Name $proxy_user_name;
        proxy_set_header X-Claim $proxy_user_claim_x;
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_1;
    }
--- cases eval
my $evil = "a\r\nX-Admin: yes";
[
    ['a claim', 'GET /a', main::token(claims => { sub => 'e1',
        x => $evil }), 204, 'ok', 'X-V: [e1][][]'],
    ['an array', 'GET /a', main::token(claims => { sub => 'e2',
        x => [$evil] }), 204, 'ok',
     'X-V: [e2][["a\r\nX-Admin: yes"]][]'],
    ['the name', 'GET /a', main::token(claims => { sub => 'e3',
        preferred_username => $evil }), 204, 'ok', 'X-V: [e3][][]'],
    ['nothing evil', 'GET /a', main::token(claims => { sub => 'e4',
        preferred_username => 'E', x => 'y' }), 204, 'ok',
     'X-V: [E][y][]'],
]



=== TEST 6: claims are of verified tokens only
--- config
    location /a {
        proxy_user on;
        $TEST_NGINX_X_CASE
        add_header X-V "<$proxy_user_claim_x>" always;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /off {
        $TEST_NGINX_X_CASE
        add_header X-V "<$proxy_user_claim_x>" always;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /role {
        proxy_user on;
        proxy_user_role admin;
        $TEST_NGINX_X_CASE
        add_header X-V "<$proxy_user_claim_x>" always;
    }
--- cases eval
my %x = (claims => { x => 'y' });
[
    ['good', 'GET /a', main::token(%x), 200, 'ok', 'X-V: <y>'],
    ['forged', 'GET /a', main::token(%x, key => 'rsa2', kid => 'rsa1'), 401,
     'token_signature', 'X-V: <>'],
    ['expired', 'GET /a', main::token(claims => { x => 'y', exp => 1 }),
     401, 'token_expired', 'X-V: <>'],
    ['off', 'GET /off', main::token(%x), 200, '', 'X-V: <>'],
    ['known and refused', 'GET /role', main::token(%x), 403, 'role_missing',
     'X-V: <y>'],
]



=== TEST 7: a variable that was read too early is not kept
--- config
    location /a {
        proxy_user on;
        set $early "$proxy_user_id$proxy_user_decision$proxy_user_claim_x";
        add_header X-Early "<$early>" always;
        add_header X-Late "<$proxy_user_decision$proxy_user_claim_x>" always;
        add_header X-Id $proxy_user_id always;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- request
GET /a
--- more_headers eval
'Authorization: Bearer ' . main::token(claims => { x => 'y' })
--- response_headers_like
X-Early: <>
X-Late: <allowy>
X-Id: u_.{22}



=== TEST 8: the name the configuration names
--- http_config
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    name profile label;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
}
--- config
    location /a {
        proxy_user on;
        $TEST_NGINX_X_CASE
        add_header X-Name "<$proxy_user_name>" always;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
my $c = sub { main::token(claims => { @_ }) };
[
    ['there', 'GET /a', $c->(sub => 'n1', profile => { label => 'N' }), 200,
     'ok', 'X-Name: <N>'],
    ['not there', 'GET /a', $c->(sub => 'n2', preferred_username => 'P'),
     200, 'ok', 'X-Name: <n2>'],
    ['a number', 'GET /a', $c->(sub => 'n3', profile => { label => 3 }),
     200, 'ok', 'X-Name: <n3>'],
]
