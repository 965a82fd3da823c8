# Who may do what: roles, methods, scopes, the line that decided, and how
# claims become roles and scopes.

use lib 't/lib';
use ProxyUser qw(:blocks);
use Test::Nginx::Socket;

repeat_each(2);
plan tests => repeat_each() * (3 * 131 + 67);

# Subject, roles, scopes: one subject for each combination.
sub with {
    my ($roles, $scope) = @_;
    return token(claims => { sub => join('+', 'u', @$roles, $scope // ()),
                             roles => $roles, scope => $scope });
}

our $nobody = with([]);
our $reader = with(['reader']);
our $writer = with(['writer']);
our $admin = with(['admin']);
our $both = with(['reader', 'writer']);

run_tests();

__DATA__

=== TEST 1: roles and methods
--- config
    location /a {
        proxy_user on;
        proxy_user_role reader GET;
        proxy_user_role writer GET POST PUT;
        proxy_user_role admin;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
my @no = ('method_not_permitted', '!WWW-Authenticate');
[
    ['reader GET', 'GET /a', $::reader, 200, 'ok'],
    ['reader HEAD', 'HEAD /a', $::reader, 200, 'ok'],
    ['reader POST', 'POST /a', $::reader, 403, @no],
    ['reader PUT', 'PUT /a', $::reader, 403, @no],
    ['reader PATCH', 'PATCH /a', $::reader, 403, @no],
    ['reader DELETE', 'DELETE /a', $::reader, 403, @no],
    ['reader OPTIONS', 'OPTIONS /a', $::reader, 403, @no],
    ['reader PROPFIND', 'PROPFIND /a', $::reader, 403, @no],
    ['reader FOO', 'FOO /a', $::reader, 403, @no],
    ['writer GET', 'GET /a', $::writer, 200, 'ok'],
    ['writer POST', 'POST /a', $::writer, 200, 'ok'],
    ['writer PUT', 'PUT /a', $::writer, 200, 'ok'],
    ['writer PATCH', 'PATCH /a', $::writer, 403, @no],
    ['writer DELETE', 'DELETE /a', $::writer, 403, @no],
    ['writer FOO', 'FOO /a', $::writer, 403, @no],
    ['both POST', 'POST /a', $::both, 200, 'ok'],
    ['both DELETE', 'DELETE /a', $::both, 403, @no],
    ['admin GET', 'GET /a', $::admin, 200, 'ok'],
    ['admin DELETE', 'DELETE /a', $::admin, 200, 'ok'],
    ['admin FOO', 'FOO /a', $::admin, 200, 'ok'],
    ['nobody GET', 'GET /a', $::nobody, 403, 'role_missing',
     '!WWW-Authenticate'],
    ['nobody FOO', 'FOO /a', $::nobody, 403, 'role_missing'],
    ['no token', 'GET /a', undef, 401, 'no_credential'],
    ['TRACE is nginx\'s own 405', 'TRACE /a', $::admin, 405, ''],
]



=== TEST 2: HEAD goes with GET, GET does not go with HEAD
--- config
    proxy_user on;
    location /head {
        proxy_user_role reader HEAD;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /get {
        proxy_user_role reader GET;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /scope {
        proxy_user_scope read GET;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
[
    ['HEAD, HEAD', 'HEAD /head', $::reader, 200, 'ok'],
    ['HEAD, GET', 'GET /head', $::reader, 403, 'method_not_permitted'],
    ['GET, HEAD', 'HEAD /get', $::reader, 200, 'ok'],
    ['GET, GET', 'GET /get', $::reader, 200, 'ok'],
    ['a scope for GET holds for HEAD', 'HEAD /scope', $::reader, 403,
     'scope_missing'],
]



=== TEST 3: a line with several roles, several lines with one role
--- config
    proxy_user on;
    location /several {
        proxy_user_role reader writer GET;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /lines {
        proxy_user_role reader GET;
        proxy_user_role reader POST;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /wide {
        proxy_user_role reader;
        proxy_user_role writer POST;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /none { proxy_pass $TEST_NGINX_BACKEND; }
--- cases eval
[
    ['several, reader', 'GET /several', $::reader, 200, 'ok'],
    ['several, writer', 'GET /several', $::writer, 200, 'ok'],
    ['several, admin', 'GET /several', $::admin, 403, 'role_missing'],
    ['lines, GET', 'GET /lines', $::reader, 200, 'ok'],
    ['lines, POST', 'POST /lines', $::reader, 200, 'ok'],
    ['lines, PUT', 'PUT /lines', $::reader, 403, 'method_not_permitted'],
    ['a line without methods is for all', 'DELETE /wide', $::reader, 200,
     'ok'],
    ['but only for its roles', 'DELETE /wide', $::writer, 403,
     'method_not_permitted'],
    ['no line is for everybody', 'DELETE /none', $::nobody, 200, 'ok'],
    ['everybody with a token', 'DELETE /none', undef, 401, 'no_credential'],
]



=== TEST 4: scopes come first, all of a line, all lines of the method
--- config
    proxy_user on;
    location /all {
        proxy_user_scope read;
        proxy_user_scope write audit POST;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /order {
        proxy_user_scope read;
        proxy_user_role admin GET;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
my $s = sub { ::with(['reader'], $_[0]) };
my $need = sub {
    'WWW-Authenticate: Bearer realm="localhost", error="insufficient_scope"'
    . ", scope=\"$_[0]\"";
};
[
    ['read GET', 'GET /all', $s->('read'), 200, 'ok'],
    ['nothing GET', 'GET /all', $s->(''), 403, 'scope_missing',
     $need->('read')],
    ['read POST', 'POST /all', $s->('read'), 403, 'scope_missing',
     $need->('read write audit')],
    ['two of three', 'POST /all', $s->('read write'), 403, 'scope_missing'],
    ['the line, not the other', 'POST /all', $s->('write audit'), 403,
     'scope_missing'],
    ['all three', 'POST /all', $s->('audit read write'), 200, 'ok'],
    ['more than needed', 'POST /all', $s->('x audit y read write z'), 200,
     'ok'],
    ['a prefix is no scope', 'GET /all', $s->('rea'), 403, 'scope_missing'],
    ['a longer word is no scope', 'GET /all', $s->('read:all'), 403,
     'scope_missing'],
    ['capitals are another scope', 'GET /all', $s->('READ'), 403,
     'scope_missing'],
    ['a comma parts nothing', 'GET /all', $s->('read,write'), 403,
     'scope_missing'],
    ['neither scope nor role', 'GET /order', $s->(''), 403,
     'scope_missing'],
    ['scope and no role', 'GET /order', $s->('read'), 403, 'role_missing'],
    ['role and no scope', 'GET /order', $::admin, 403, 'scope_missing'],
    ['both', 'GET /order', ::with(['admin'], 'read'), 200, 'ok'],
]



=== TEST 5: the rule is the file and the line that decided
--- http_config eval
main::write_file('rules.conf', <<"END");
proxy_user on;
$ENV{TEST_NGINX_X_CASE}
add_header X-Rule "[\$rule]" always;
proxy_user_scope never DELETE;
proxy_user_scope gone DELETE PATCH;
proxy_user_role reader GET;
proxy_user_role writer GET POST;
proxy_user_role admin;
END
'map $proxy_user_rule $rule {
    default $proxy_user_rule;
    "~/(?<line>rules\.conf:\d+)$" $line;
}'
--- config
    location /a {
        include $TEST_NGINX_KEYS/rules.conf;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /none {
        proxy_user on;
        $TEST_NGINX_X_CASE
        add_header X-Rule "[$rule]" always;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /child/ {
        include $TEST_NGINX_KEYS/rules.conf;
        location /child/a { proxy_pass $TEST_NGINX_BACKEND; }
    }
--- cases eval
my $never = main::token(claims => { sub => 'n', roles => ['admin'],
                                    scope => 'never' });
my $line = sub { "X-Rule: [" . ($_[0] ? "rules.conf:$_[0]" : '') . ']' };
[
    ['reader GET', 'GET /a', $::reader, 200, 'ok', $line->(6)],
    ['writer GET', 'GET /a', $::writer, 200, 'ok', $line->(7)],
    ['both GET', 'GET /a', $::both, 200, 'ok', $line->(6)],
    ['writer POST', 'POST /a', $::writer, 200, 'ok', $line->(7)],
    ['admin PUT', 'PUT /a', $::admin, 200, 'ok', $line->(8)],
    ['a role is missing', 'GET /a', $::nobody, 403, 'role_missing',
     $line->(6)],
    ['the first scope line', 'DELETE /a', $::admin, 403, 'scope_missing',
     $line->(4)],
    ['the second scope line', 'DELETE /a', $never, 403, 'scope_missing',
     $line->(5)],
    ['inherited', 'GET /child/a', $::reader, 200, 'ok', $line->(6)],
    ['no line', 'GET /none', $::reader, 200, 'ok', $line->()],
    ['a bad token is decided by no line', 'GET /a', 'x', 401,
     'token_malformed', $line->()],
]



=== TEST 6: claims become roles by role_map only
--- http_config
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
    role_map "Domain Admins" admin writer;
    role_map 7 seven;
    role_map a,b comma;
}
--- config
    proxy_user on;
    location /a {
        $TEST_NGINX_X_CASE
        add_header X-Roles "[$proxy_user_roles]" always;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /admin {
        proxy_user_role admin;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
my $n = 0;
my $roles = sub {
    my ($title, $claim, $expected) = @_;
    [$title, 'GET /a', main::token(claims => { sub => 'm' . ++$n,
     roles => $claim }), 200, 'ok', "X-Roles: [$expected]"];
};
[
    $roles->('an array', ['reader'], 'reader'),
    $roles->('a string', 'reader', 'reader'),
    $roles->('one value, two roles, sorted', ['Domain Admins'],
             'admin writer'),
    $roles->('a value with a space is no list in an array',
             ['Domain Admins', 'reader'], 'admin reader writer'),
    $roles->('a space separated string', 'x reader y', 'reader'),
    $roles->('twice is once', ['reader', 'reader'], 'reader'),
    $roles->('what is not listed gives nothing', ['admin', 'writer', 'x'],
             ''),
    $roles->('capitals are another value', ['Reader', 'DOMAIN ADMINS'], ''),
    $roles->('a longer value', ['readers', 'reade', ' reader'], ''),
    $roles->('a number is no string', [7], ''),
    $roles->('an object is no role', { reader => 1 }, ''),
    $roles->('nested arrays are no roles', [['reader']], ''),
    $roles->('null', main::null(), ''),
    $roles->('true', JSON::PP::true(), ''),
    $roles->('empty', [], ''),
    $roles->('a comma parts nothing', 'a,b', 'comma'),
    $roles->('no claim', undef, ''),
    ['no pass-through', 'GET /admin', $::admin, 403, 'role_missing'],
]



=== TEST 7: default_role is for all; role_claim and scope_claim walk
--- http_config
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_claim realm_access roles;
    role_map r reader;
    default_role user guest;
    scope_claim a.b permissions;
}
proxy_user_issuer other {
    issuer https://other.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map r reader;
}
--- config
    location /a {
        proxy_user on;
        $TEST_NGINX_X_CASE
        add_header X-Roles "[$proxy_user_roles][$proxy_user_scopes]" always;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
my $n = 0;
my $got = sub {
    my ($title, $claims, $expected) = @_;
    [$title, 'GET /a', main::token(claims => { sub => 'd' . ++$n, %$claims }),
     200, 'ok', "X-Roles: $expected"];
};
my $other = { iss => 'https://other.example.com' };
[
    $got->('nothing', {}, '[guest user][]'),
    $got->('where it is', { realm_access => { roles => ['r'] } },
           '[guest reader user][]'),
    $got->('not where it is not', { roles => ['r'] }, '[guest user][]'),
    $got->('not a name with a dot', { 'realm_access.roles' => ['r'] },
           '[guest user][]'),
    $got->('a scope in a name with a dot', { 'a.b' => { permissions =>
           ['s2', 's1'] } }, '[guest user][s1 s2]'),
    $got->('not two levels instead', { a => { b => { permissions =>
           's1' } } }, '[guest user][]'),
    $got->('scope is not asked then', { scope => 's' }, '[guest user][]'),
    $got->('another issuer, no default', { %$other }, '[][]'),
    $got->('another issuer, its own claim', { %$other, roles => 'r' },
           '[reader][]'),
]



=== TEST 8: scope, then scp; what is no scope-token is ignored
--- config
    location /a {
        proxy_user on;
        $TEST_NGINX_X_CASE
        add_header X-Scopes "[$proxy_user_scopes]" always;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
my $n = 0;
my $scopes = sub {
    my ($title, $claims, $expected) = @_;
    [$title, 'GET /a', main::token(claims => { sub => 's' . ++$n, %$claims }),
     200, 'ok', "X-Scopes: [$expected]"];
};
[
    $scopes->('sorted, once each', { scope => 'b a b c' }, 'a b c'),
    $scopes->('scp', { scp => 'a' }, 'a'),
    $scopes->('scp as an array', { scp => ['b', 'a'] }, 'a b'),
    $scopes->('scope before scp', { scope => 'a', scp => 'b' }, 'a'),
    $scopes->('spaces around', { scope => '  a   b  ' }, 'a b'),
    $scopes->('a quote', { scope => 'a b"c d' }, 'a d'),
    $scopes->('a backslash', { scope => 'a b\\c d' }, 'a d'),
    $scopes->('not ASCII', { scope => "a b\xe9 d" }, 'a d'),
    $scopes->('a control byte', { scope => "a b\x01 d" }, 'a d'),
    $scopes->('255 bytes', { scope => 'a ' . 'b' x 255 }, 'a ' . 'b' x 255),
    $scopes->('256 bytes', { scope => 'a ' . 'b' x 256 }, 'a'),
    $scopes->('a number', { scope => 7 }, ''),
    $scopes->('an object', { scope => { a => 1 } }, ''),
    $scopes->('none', {}, ''),
]



=== TEST 9: a hundred roles, and a claim of two thousand values
--- http_config eval
my $map = '';
$map .= "role_map v$_ r$_;\n" for 1 .. 100;
"large_client_header_buffers 4 64k;
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file \$TEST_NGINX_KEYS/jwks.json;
    $map
}"
--- config
    location /last {
        proxy_user on;
        proxy_user_role r100;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /absent {
        proxy_user on;
        proxy_user_role r101;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /many {
        proxy_user on;
        $TEST_NGINX_X_CASE
        add_header X-Roles $proxy_user_roles always;
        proxy_user_role first r100;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
my $hundred = main::token(alg => 'ES256', claims => { sub => 'h',
    roles => [map { "v$_" } 1 .. 100] });
my @two = (('AA' .. 'ZZ') x 3)[0 .. 1999];
my $thousands = main::token(alg => 'ES256', claims => { sub => 't',
    roles => [@two] });
my $hidden = main::token(alg => 'ES256', claims => { sub => 'u',
    roles => [@two[1 .. 1999], 'v100'] });
my @all = sort map { "r$_" } 1 .. 100;
[
    ['a hundred', 'GET /last', $hundred, 200, 'ok'],
    ['a hundred and not this one', 'GET /absent', $hundred, 403,
     'role_missing'],
    ['a hundred, sorted', 'GET /many', $hundred, 200, 'ok',
     "X-Roles: @all"],
    ['two thousand of nothing', 'GET /last', $thousands, 403,
     'role_missing'],
    ['two thousand and the last counts', 'GET /last', $hidden, 200, 'ok'],
    ['two thousand and the last counts alone', 'GET /many', $hidden, 200,
     'ok', 'X-Roles: r100'],
]



=== TEST 10: the same token under two locations is decided twice
--- config
    proxy_user on;
    location /read {
        proxy_user_role reader;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /write {
        proxy_user_role writer;
        proxy_pass $TEST_NGINX_BACKEND;
    }
    location /try {
        proxy_user_role reader;
        try_files /nothing @write;
    }
    location @write {
        proxy_user_role writer;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
[
    ['read', 'GET /read', $::reader, 200, 'ok'],
    ['write', 'GET /write', $::reader, 403, 'role_missing'],
    ['read again', 'GET /read', $::reader, 200, 'ok'],
    ['writer reads', 'GET /read', $::writer, 403, 'role_missing'],
    ['a named location asks again', 'GET /try', $::reader, 403,
     'role_missing'],
    ['and lets in who passes both', 'GET /try', $::both, 200, 'ok'],
    ['the second does not make up for the first', 'GET /try', $::writer,
     403, 'role_missing'],
]



=== TEST 11: decided by the request's own method and normal path, not by headers
--- config
    location /a/ {
        proxy_user on;
        proxy_user_role reader GET;
        proxy_pass $TEST_NGINX_BACKEND;
    }
--- cases eval
my $h = sub { { Authorization => "Bearer $::reader", @_ } };
[
    ['POST as GET', 'POST /a/', $h->('X-HTTP-Method-Override' => 'GET'),
     403, 'method_not_permitted'],
    ['X-Method-Override', 'POST /a/', $h->('X-Method-Override' => 'GET'),
     403, 'method_not_permitted'],
    ['X-Original-URL', 'GET /a/', { 'X-Original-URL' => '/b' }, 401,
     'no_credential'],
    ['X-Rewrite-URL', 'GET /a/', { 'X-Rewrite-URL' => '/b' }, 401,
     'no_credential'],
    ['two slashes', 'GET //a//x', undef, 401, 'no_credential'],
    ['a dot', 'GET /./a/./x', undef, 401, 'no_credential'],
    ['two dots', 'GET /b/../a/x', undef, 401, 'no_credential'],
    ['escaped', 'GET /%61/x', undef, 401, 'no_credential'],
    ['an escaped slash', 'GET /a%2fx', undef, 401, 'no_credential'],
    ['absolute', 'GET http://localhost/a/x', undef, 401, 'no_credential'],
    ['no user agent is exempt', 'GET /a/',
     { 'User-Agent' => 'kube-probe/1.0' }, 401, 'no_credential'],
    ['OPTIONS like a preflight', 'OPTIONS /a/', { Origin =>
     'https://x.example.com', 'Access-Control-Request-Method' => 'GET' },
     401, 'no_credential'],
]
