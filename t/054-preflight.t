# CORS preflights: a browser asks without a credential, and may.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

my $HTTP = <<'END';
proxy_user_audit logs/audit.log;
add_header X-Reason $proxy_user_reason always;
add_header X-Decision $proxy_user_decision always;
add_header X-User "[$proxy_user_subject]" always;
END

sub location {
    my ($path, @line) = @_;
    return "location $path { @line proxy_pass \$TEST_NGINX_BACKEND; }\n";
}

my $root = "$ProxyUser::Nginx::tmp";
my $nginx = start_nginx(
    http => "$HTTP server { listen unix:$root/back.sock; "
        . 'location / { add_header X-Saw "[$http_x_proxy_user]'
        . '[$http_authorization]"; return 200; } }',
    server => "proxy_user on; proxy_user_preflight on;\n"
        . location('/a', 'proxy_user_role reader GET;')
        . location('/off', 'proxy_user_preflight off;')
        . location('/options', 'proxy_user_role reader OPTIONS;')
        . location('/report', 'proxy_user_mode report;')
        . location('/any', 'satisfy any; deny all;')
        . location('/none', 'proxy_user off;')
        . location('/limit', 'limit_except GET OPTIONS '
                             . '{ proxy_user_preflight off; }')
        . location('/twice', 'error_page 404 = /a; try_files /x @other;')
        . location('@other', 'proxy_user_preflight off;')
        . "location /saw { proxy_pass http://unix:$root/back.sock; }\n");

my $reader = token(claims => { sub => 'r', roles => ['reader'] });
my %ask = (Origin => 'https://app.example.com',
           'Access-Control-Request-Method' => 'DELETE');
my $with = sub {
    my (%more) = @_;
    my %all = (%ask, %more);
    delete $all{$_} for grep { !defined $all{$_} } keys %all;
    return \%all;
};

my @passes = ('preflight', 'X-Decision: preflight', 'X-User: []');

check_cases($nginx, 'preflight',
    ['passes', 'OPTIONS /a', $with->(), 200, @passes],
    ['whatever else it brings', 'OPTIONS /a', $with->(
     'Access-Control-Request-Headers' => 'authorization'), 200, @passes],
    ['in any case of letters', 'OPTIONS /a', $with->(Origin => undef,
     'Access-Control-Request-Method' => undef, ORIGIN => 'null',
     'access-control-request-method' => 'PUT'), 200, @passes],
    ['a token is not looked at', 'OPTIONS /a', $with->(
     Authorization => "Bearer $reader"), 200, @passes],
    ['nor a bad one', 'OPTIONS /a', $with->(Authorization => 'Bearer x'),
     200, @passes],
    ['without an origin it is none', 'OPTIONS /a', $with->(Origin => undef),
     401, 'no_credential'],
    ['with an empty one', 'OPTIONS /a', $with->(Origin => ''), 401,
     'no_credential'],
    ['without a method it is none', 'OPTIONS /a', $with->(
     'Access-Control-Request-Method' => undef), 401, 'no_credential'],
    ['another method is none', 'GET /a', $with->(), 401, 'no_credential'],
    ['POST is none', 'POST /a', $with->(), 401, 'no_credential'],
    ['options is none', 'options /a', $with->(), 400, ''],
    ['a method override is none', 'POST /a', $with->(
     'X-HTTP-Method-Override' => 'OPTIONS'), 401, 'no_credential'],
    ['only the request itself', 'GET /a', $with->(), 401, 'no_credential'],
    ['off', 'OPTIONS /off', $with->(), 401, 'no_credential'],
    ['OPTIONS that is none is decided', 'OPTIONS /options',
     { Authorization => "Bearer $reader" }, 200, 'ok'],
    ['and refused', 'OPTIONS /a', { Authorization => "Bearer $reader" }, 403,
     'method_not_permitted'],
    ['report', 'OPTIONS /report', $with->(), 200, @passes],
    ['satisfy any: it has no opinion', 'OPTIONS /any', $with->(), 403,
     'preflight'],
    ['proxy_user off: nothing is decided', 'OPTIONS /none', $with->(), 200,
     ''],
    ['limit_except', 'OPTIONS /limit', $with->(), 200, @passes],
    ['another location decides again', 'OPTIONS /twice', $with->(), 401,
     'no_credential']);

my $saw = $nginx->ask('OPTIONS', '/saw', headers => [
    map({ [$_ => $ask{$_}] } sort keys %ask), ['X-Proxy-User' => 'root'],
    ['X_Proxy_User' => 'root']])->{headers}{'x-saw'};
is $saw, '[][]', 'headers that name somebody are taken out all the same';

my ($line) = grep { $_->{decision} eq 'preflight' }
    wait_audit("$nginx->{root}/logs/audit.log", 10);
is_deeply [@$line{qw(reason method uri status)}],
    ['preflight', 'OPTIONS', '/a', 200], 'the audit line';
ok !exists $line->{user} && !exists $line->{subject}, 'names nobody';

ok $nginx->stop, 'an end';
ok !$nginx->trouble, 'without trouble';


# nginx -t.

for my $place (qw(http server location)) {
    my ($ok, $said) = nginx_t($place => 'proxy_user_preflight on;');
    is $ok, 1, "allowed in $place";
}

for (
    ['proxy_user_preflight yes;', qr/"proxy_user_preflight" has the value /
     . qr/"yes", allowed are on, off/],
    ['proxy_user_preflight on; proxy_user_preflight off;',
     qr/"proxy_user_preflight" directive is duplicate/],
    ['proxy_user_preflight;', qr/invalid number of arguments.*_preflight/],
) {
    my ($text, $pattern) = @$_;
    my ($ok, $said) = nginx_t(location => $text);
    is $ok, 0, "refused: $text";
    like $said, qr/\[emerg\].*$pattern/, 'and why';
}

done_testing;
