# Report mode: everything is decided and written down, nothing is refused, and
# nobody is called by a name that was not let in.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

my $HTTP = <<'END';
proxy_user_audit logs/audit.log;
log_format who '$uri [$proxy_user_subject$proxy_user_id$proxy_user_roles]';
add_header X-Reason $proxy_user_reason always;
add_header X-Decision $proxy_user_decision always;
add_header X-User "[$proxy_user_subject|$proxy_user_id|$proxy_user_roles|$proxy_user_claim_sub]" always;
END

# The backend tells what it was told.
my $PASS = 'proxy_set_header X-Proxy-User $proxy_user_id; '
    . 'proxy_set_header X-Proxy-User-Name $proxy_user_name; '
    . 'proxy_pass $TEST_NGINX_BACKEND;';

my $SERVER = <<"END";
proxy_user on;
proxy_user_mode report;
access_log logs/who.log who;
location /a { $PASS }
location /role { proxy_user_role admin; $PASS }
location /scope { proxy_user_scope write POST; $PASS }
location /require { proxy_user_require \$arg_never error=401; $PASS }
location /optional { proxy_user optional; proxy_user_role admin; $PASS }
location /free { proxy_user optional; $PASS }
location /accept { proxy_user_accept other; $PASS }
location /two { proxy_user_credential bearer query=t; $PASS }
location /enforced { proxy_user_mode enforce; proxy_user_role admin; $PASS }
location /limit {
    proxy_user_role admin;
    limit_except GET { proxy_user_mode enforce; }
    $PASS
}
location /any { satisfy any; deny all; proxy_user_role admin; $PASS }
location /denied { deny all; proxy_user_role admin; $PASS }
location /page { proxy_user_role admin; error_page 403 = /enforced; $PASS }
location /try { proxy_user_role admin; try_files /nothing \@enforced; }
location /try/report { proxy_user_role admin; try_files /nothing \@report; }
location \@enforced { proxy_user_mode enforce; proxy_user_role admin; $PASS }
location \@report { $PASS }
END

my $ISSUERS = <<'END';
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map admin admin;
}
proxy_user_issuer other {
    issuer https://other.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
}
END

my $nobody = token(claims => { sub => 'nobody' });
my $admin = token(claims => { sub => 'boss', roles => ['admin'] });
my $old = token(claims => { sub => 'late', exp => 1700000000 });
my $forged = token(key => 'rsa2', kid => 'rsa1', claims => { sub => 'x' });

my @none = ('X-User: [|||]', '!WWW-Authenticate', '!Retry-After');
my @deny = ('X-Decision: deny', @none);


{
    my $nginx = start_nginx(http => $HTTP . $ISSUERS, server => $SERVER);

    check_cases($nginx, 'report',
        ['no token', 'GET /a', undef, 200, 'no_credential', @deny],
        ['a bad token', 'GET /a', 'x.y.z', 200, 'token_malformed', @deny],
        ['a forged one', 'GET /a', $forged, 200, 'token_signature', @deny],
        ['an old one', 'GET /a', $old, 200, 'token_expired', @deny],
        ['a good one', 'GET /a', $admin, 200, 'ok', 'X-Decision: allow'],
        ['no role', 'GET /role', $nobody, 200, 'role_missing', @deny],
        ['the role', 'GET /role', $admin, 200, 'ok', 'X-Decision: allow'],
        ['no scope', 'POST /scope', $nobody, 200, 'scope_missing', @deny],
        ['a requirement', 'GET /require', $nobody, 200,
         'requirement_failed', @deny],
        ['another issuer', 'GET /accept', $nobody, 200,
         'issuer_not_accepted', @deny],
        ['two credentials', "GET /two?t=$nobody", $nobody, 200,
         'credential_ambiguous', @deny],
        ['nobody, where nobody may be', 'GET /free', undef, 200,
         'anonymous', 'X-Decision: anonymous', @none],
        ['nobody, where nobody may not be', 'GET /optional', undef, 200,
         'no_credential', @deny]);

    check_cases($nginx, 'beside others',
        ['enforced below', 'GET /enforced', $nobody, 403, 'role_missing'],
        ['enforced for some methods', 'GET /limit', $nobody, 200,
         'role_missing', @deny],
        ['and for others', 'POST /limit', $nobody, 403, 'role_missing'],
        ['satisfy any: somebody else refuses', 'GET /any', $nobody, 403,
         'role_missing', '!WWW-Authenticate'],
        ['satisfy any: this module lets in', 'GET /any', $admin, 200, 'ok'],
        ['satisfy all: somebody else refuses first', 'GET /denied', $nobody,
         403, ''],
        ['no error_page comes of it', 'GET /page', $nobody, 200,
         'role_missing', @deny],
        ['decided again where it is enforced', 'GET /try', $nobody, 403,
         'role_missing'],
        ['decided again where it is not', 'GET /try/report', $nobody, 200,
         'ok', 'X-Decision: allow']);

    my %seen = map { $_->{uri} . ' ' . $_->{reason} => $_ }
        wait_audit("$nginx->{root}/logs/audit.log", 21);

    is_deeply [@{ $seen{'/role role_missing'} }
               {qw(decision mode status subject)}],
        ['deny', 'report', 200, 'nobody'], 'the audit line says all of it';
    ok !exists $seen{'/enforced role_missing'}{mode},
        'and has no mode where it is enforced';
    is $seen{'/a ok'}{mode}, 'report', 'but has where all is well';
    is $seen{'/free anonymous'}{mode}, 'report', 'and for nobody';
    is $seen{'/a token_expired'}{status}, 200, 'the status is what was sent';
    is $seen{'/try/report role_missing'}{decision}, 'deny',
        'the first that was not let in is written down';

    my $who = read_file("$nginx->{root}/logs/who.log");
    like $who, qr/^\/role \[bossu_\S+admin\]$/m, 'a log names who was let in';
    like $who, qr/^\/role \[\]$/m, 'and not who would not have been';
    like $who, qr/^\/enforced \[nobodyu_/m, 'but who was refused';

    like $nginx->log, qr/\[info\].*proxy_user: would be refused: role_missing/,
        'the log says what would have been';
    ok $nginx->stop, 'an end';
    ok !$nginx->trouble, 'without trouble';
}


# What a backend gets to see: neither what a client says nor who was refused.

{
    my $root = "$ProxyUser::Nginx::tmp";
    my $nginx = start_nginx(
        http => "$HTTP server { listen unix:$root/back.sock; "
            . 'location / { add_header X-Saw "[$http_x_proxy_user]'
            . '[$http_x_proxy_user_name]"; return 200; } }',
        server => "proxy_user on; proxy_user_mode report;
                   location / { proxy_user_role admin;
                       proxy_set_header X-Proxy-User-Name \$proxy_user_name;
                       proxy_pass http://unix:$root/back.sock; }");
    my $saw = sub {
        my ($token, @header) = @_;
        return $nginx->ask('GET', '/', headers => [
            [Authorization => "Bearer $token"], @header])
            ->{headers}{'x-saw'};
    };
    is $saw->($nobody), '[][]', 'a user who is refused has no name';
    is $saw->($admin), '[][boss]', 'one who is let in has';
    is $saw->($nobody, ['X-Proxy-User' => 'u_root'],
              ['X_Proxy_User_Name' => 'root']), '[][]',
        'what a client says of itself is taken out';
    ok $nginx->stop, 'an end';
    ok !$nginx->trouble, 'without trouble';
}


# "We do not know" is not enforced either.

{
    my $redis = redis_start();
    my $nginx = store_nginx(server => "location /report { "
        . "proxy_user_mode report; $PASS } "
        . "location /hard { $PASS }");
    my ($suspended) = user_id(1);
    seed_user(id => $suspended, sub => 'gone', state => 'suspended');
    my $gone = token(claims => { sub => 'gone' });

    ok within(10, sub { $nginx->get('/hard', $gone)->{status} == 403 }),
        'suspended';
    is $nginx->get('/report', $gone)->{status}, 200, 'suspended, reported';

    $redis->stop;
    my $new = token(claims => { sub => 'new' });
    ok within(10, sub { $nginx->get('/hard', $new)->{status} == 503 }),
        'without Redis nobody is known';
    my $answer = $nginx->get('/report', $new);
    is $answer->{status}, 200, 'and nobody refused';
    ok !exists $answer->{headers}{'retry-after'}, 'nor told to come back';
    ok $nginx->stop, 'an end';
}


# A subrequest is refused where it is enforced, and nowhere else.

{
    my $nginx = start_nginx(http => $HTTP, server => <<'END');
location = /sub { proxy_user on; proxy_user_mode report; proxy_user_role admin;
                  return 204; }
location /main { auth_request /sub; proxy_pass $TEST_NGINX_BACKEND; }
location = /files/sub { proxy_user on; proxy_user_mode report;
                        try_files /index.html =404; }
location = /hard/sub { proxy_user on; try_files /index.html =404; }
location = /main/report { auth_request /files/sub;
                          proxy_pass $TEST_NGINX_BACKEND; }
location = /main/hard { auth_request /hard/sub;
                        proxy_pass $TEST_NGINX_BACKEND; }
END
    is $nginx->get('/main/report')->{status}, 200, 'a subrequest, reported';
    is $nginx->get('/main/hard')->{status}, 403, 'a subrequest, enforced';
    ok $nginx->stop, 'an end';
}


# nginx -t.

for my $place (qw(http server location)) {
    my ($ok, $said) = nginx_t($place => 'proxy_user_mode report;');
    is $ok, 1, "allowed in $place";
}

for (
    ['proxy_user_mode off;', qr/"proxy_user_mode" has the value "off", /
     . qr/allowed are enforce, report/],
    ['proxy_user_mode report; proxy_user_mode enforce;',
     qr/"proxy_user_mode" directive is duplicate/],
    ['proxy_user_mode;', qr/invalid number of arguments.*_mode/],
    ['proxy_user_mode report enforce;', qr/invalid number of arguments/],
) {
    my ($text, $pattern) = @$_;
    my ($ok, $said) = nginx_t(location => $text);
    is $ok, 0, "refused: $text";
    like $said, qr/\[emerg\].*$pattern/, 'and why';
}

done_testing;
