# What stands beside a content handler of the module, or within its location:
# nothing takes its place, and nothing is open because a directory's location
# is.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Scim;
use ProxyUser::Store;
use Test::More;

my $redis = redis_start();
start_backend();
my $file = token_file('tokens');
my $SCIM = "proxy_user_scim token_file=$file;";
my $EVENTS = 'proxy_user_events issuer=idp;';
my $PASS = 'proxy_pass $TEST_NGINX_BACKEND;';
my $EXPLAIN = 'proxy_user_explain unguarded;';
my $REDIS = 'proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET;';


subtest 'what lies within' => sub {
    my $nginx = start_nginx(http => $REDIS, server => <<"END");
add_header X-Reason \$proxy_user_reason always;
proxy_user on;
proxy_user_role admin;
location /scim/v2/ {
    $SCIM
    location /scim/v2/inner { $PASS }
    location /scim/v2/outer { proxy_user off; $PASS }
    if (\$arg_x) { set \$y 1; }
    limit_except GET { allow 127.0.0.1; deny all; }
}
location /events {
    $EVENTS
    location /events/inner {
        $PASS
        location /events/inner/most { $PASS }
    }
}
location /said/ {
    proxy_user off;
    $SCIM
    location /said/inner { $PASS }
}
END
    my $admin = token(claims => { roles => ['admin'] });

    check_cases($nginx, 'within',
        ['SCIM', 'GET /scim/v2/inner', undef, 401, 'no_credential'],
        ['SCIM, no role', 'GET /scim/v2/inner', token(), 403, 'role_missing'],
        ['SCIM, a role', 'GET /scim/v2/inner', $admin, 200, 'ok'],
        ['SCIM, the token of a directory', 'GET /scim/v2/inner', $SECRET,
         401, 'token_malformed'],
        ['SCIM, off by a line', 'GET /scim/v2/outer', undef, 200, ''],
        ['events', 'GET /events/inner', undef, 401, 'no_credential'],
        ['events, further in', 'GET /events/inner/most', undef, 401,
         'no_credential'],
        ['events, a role', 'GET /events/inner/most', $admin, 200, 'ok'],
        ['SCIM that says off itself', 'GET /said/inner', undef, 200, '']);

    my $status = sub { scim_on($nginx, @_)->{status} };
    is $status->('GET', '/Users'), 200, 'the directory itself';
    is $status->('GET', '/Users?x=1'), 200, 'within an "if"';
    is $status->('POST', '/Users', { userName => 'ada' }), 201,
        'within limit_except';
    is $status->('POST', '/Users', { userName => 'bob' }, token => 'x'), 401,
        'and there it is asked for its token';
    is $status->('GET', '/Users', undef, token => $admin), 401,
        'an admin is no directory';
    ok $nginx->stop, 'an end';
};


subtest 'who answers alone' => sub {
    for my $place (
        [proxy_user_scim => "location /s/ { $SCIM $PASS }"],
        [proxy_user_scim => "location /s/ { $PASS $SCIM }"],
        [proxy_user_scim => "location /s/ { $SCIM if (\$arg_x) { $PASS } }"],
        [proxy_user_scim =>
         "location /s/ { $SCIM limit_except GET { $PASS } }"],
        [proxy_user_scim => "location /s/ { $EVENTS $SCIM }"],
        [proxy_user_events => "location /s/ { $EVENTS $PASS }"],
        [proxy_user_events => "location /s/ { $EVENTS stub_status; }"],
        [proxy_user_events => "location /s/ { $SCIM $EVENTS }"],
        [proxy_user_explain => "location /s/ { $EXPLAIN $PASS }"],
        [proxy_user_jwks => "location /s/ { proxy_user_jwks; $PASS }"],
    ) {
        my ($directive, $server) = @$place;
        my ($ok, $said) = nginx_t(http => $REDIS, server => $server);

        ok !$ok, $server;
        like $said, qr{"/s/" has "$directive" beside another directive},
            'it is said';
    }

    for my $line ($SCIM, $EVENTS, $EXPLAIN, 'proxy_user_jwks;') {
        my ($ok, $said) = nginx_t(http => $REDIS,
                                  server => "location /s/ { $line $line }");
        ok !$ok, "$line twice";
        like $said, qr/is duplicate/, 'it is said';
    }
};


# Its guard is its own there as well.
subtest 'explain within limit_except' => sub {
    my $explain = 'proxy_user on; proxy_user_role admin; proxy_user_explain;';
    my ($ok, $said) = nginx_t(server =>
        "location /e { $explain limit_except POST { proxy_user off; } }");

    ok !$ok, 'open to anybody there';
    like $said, qr/"proxy_user_explain" in location "\/e" is for operators/,
        'it is said';

    my $nginx = start_nginx(server =>
        "location /e { $explain limit_except POST { allow all; } }");
    is $nginx->get('/e?user=x')->{status}, 401, 'nobody';
    is $nginx->get('/e?user=x', token())->{status}, 403, 'no role';
    is $nginx->get('/e?user=x', token(claims => { roles => ['admin'] }))
        ->{status}, 400, 'an admin is answered';
    ok $nginx->stop, 'an end';
};

done_testing;
