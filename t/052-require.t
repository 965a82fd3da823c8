# What else must be so: values that must not be empty.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

my $HTTP = <<'END';
add_header X-Reason $proxy_user_reason always;
add_header X-Rule $proxy_user_rule always;
map $proxy_user_claim_acr $strong { default ""; gold 1; }
map $http_x_day $weekday { default 0; monday yes; }
map $proxy_user_roles $may { default ""; "~\breader\b" 1; }
END

sub location {
    my ($path, @line) = @_;
    return "location $path { @line proxy_pass \$TEST_NGINX_BACKEND; }\n";
}

my $nginx = start_nginx(http => $HTTP, server => "proxy_user on;\n"
    . location('/strong', 'proxy_user_require $strong;')
    . location('/login', 'proxy_user_require $strong error=401;')
    . location('/both', 'proxy_user_require $strong $weekday;')
    . location('/lines', 'proxy_user_require $strong error=401;',
               'proxy_user_require $weekday;')
    . location('/order', 'proxy_user_require $weekday;',
               'proxy_user_require $strong error=401;')
    . location('/role', 'proxy_user_role reader;',
               'proxy_user_scope read; proxy_user_require $strong;')
    . location('/text', 'proxy_user_require "$arg_a$arg_b" error=403;')
    . location('/own', 'proxy_user_require $may;')
    . location('/optional', 'proxy_user optional;',
               'proxy_user_require $strong;')
    . location('/any', 'proxy_user_require $strong error=401;',
               'satisfy any; allow all;')
    . location('/page', 'proxy_user_require $strong error=401;',
               'error_page 401 = @login;')
    . "location \@login { proxy_user off; return 302 /login; }\n"
    . "location /up/ { proxy_user_require \$strong;\n"
    . location('/up/same', '')
    . location('/up/other', 'proxy_user_require $weekday;')
    . 'location /up/limit { limit_except GET '
    . '{ proxy_user_require $weekday; } proxy_pass $TEST_NGINX_BACKEND; }'
    . "}\n");

my $n = 0;
sub with {
    my (%claim) = @_;
    return token(claims => { sub => 'r' . ++$n, %claim });
}

my $plain = with();
my $gold = with(acr => 'gold');
my $silver = with(acr => 'silver');
my $monday = sub {
    { Authorization => "Bearer $_[0]", 'X-Day' => 'monday' }
};

my @no = ('requirement_failed', '!WWW-Authenticate');
my @again = ('requirement_failed',
             'WWW-Authenticate: Bearer realm="localhost"');

for my $pass ('cold', 'warm') {
    check_cases($nginx, $pass,
        ['there', 'GET /strong', $gold, 200, 'ok'],
        ['not there', 'GET /strong', $plain, 403, @no],
        ['another value', 'GET /strong', $silver, 403, @no],
        ['no token is another matter', 'GET /strong', undef, 401,
         'no_credential'],
        ['401 has a challenge without an error', 'GET /login', $plain, 401,
         @again],
        ['there, for 401', 'GET /login', $gold, 200, 'ok'],
        ['0 is as nothing', 'GET /both', $gold, 403, @no],
        ['one of two', 'GET /both', $monday->($plain), 403, @no],
        ['both', 'GET /both', $monday->($gold), 200, 'ok'],
        ['the first line that fails says how', 'GET /lines', $plain, 401,
         @again],
        ['the second line', 'GET /lines', $gold, 403, @no],
        ['both lines', 'GET /lines', $monday->($gold), 200, 'ok'],
        ['in the order they are written', 'GET /order', $plain, 403, @no],
        ['the second of these', 'GET /order', $monday->($plain), 401,
         @again],
        ['scopes come first', 'GET /role', $plain, 403, 'scope_missing'],
        ['then roles', 'GET /role', with(scope => 'read'), 403,
         'role_missing'],
        ['then this', 'GET /role', with(scope => 'read', roles =>
         ['reader']), 403, @no],
        ['all of it', 'GET /role', with(scope => 'read', roles => ['reader'],
         acr => 'gold'), 200, 'ok'],
        ['two variables in one value, neither', 'GET /text', $plain, 403,
         @no],
        ['one of them', 'GET /text?b=x', $plain, 200, 'ok'],
        ['0 of both is no 0', 'GET /text?a=0&b=0', $plain, 200, 'ok'],
        ['0 of one is', 'GET /text?a=0', $plain, 403, @no],
        ['what is already known of the caller', 'GET /own', with(roles =>
         ['reader']), 200, 'ok'],
        ['and what is not', 'GET /own', $plain, 403, @no],
        ['nobody, where nobody may come', 'GET /optional', undef, 401,
         'no_credential', 'WWW-Authenticate: Bearer realm="localhost"'],
        ['somebody, where nobody may come', 'GET /optional', $plain, 403,
         @no],
        ['another module lets in', 'GET /any', $plain, 200, '',
         '!WWW-Authenticate'],
        ['error_page', 'GET /page', $plain, 302, 'requirement_failed'],
        ['inherited', 'GET /up/same', $plain, 403, @no],
        ['replaced', 'GET /up/other', $monday->($plain), 200, 'ok'],
        ['replaced, not added to', 'GET /up/other', $gold, 403, @no],
        ['limit_except, inside', 'GET /up/limit', $plain, 403, @no],
        ['limit_except, outside', 'POST /up/limit', $monday->($plain), 200,
         'ok']);
}

my $problem = $nginx->get('/login', $plain, Accept => 'application/json');
like $problem->{body}, qr/"title":"Unauthorized","status":401,
    "reason":"requirement_failed"/x, 'the problem has the status of the line';
$problem = $nginx->get('/strong', $plain, Accept => 'application/json');
like $problem->{body}, qr/"title":"Forbidden","status":403,
    "reason":"requirement_failed"/x, 'or the usual one';

my $conf = read_file("$nginx->{root}/conf/nginx.conf");
my ($line) = grep { (split /\n/, $conf)[$_ - 1] =~ m{^location /order } }
    1 .. ($conf =~ tr/\n//);
like $nginx->get('/order', $plain)->{headers}{'x-rule'},
    qr/nginx\.conf:$line$/, 'the rule is the line';

ok $nginx->stop, 'an end';
ok !$nginx->trouble, 'without trouble';


# nginx -t.

for (
    ['proxy_user_require;', qr/invalid number of arguments.*_require/],
    ['proxy_user_require yes;', qr/"proxy_user_require" has the value "yes", /
     . qr/allowed are values with a variable, then error=401 or error=403/],
    ['proxy_user_require error=403;', qr/"proxy_user_require" names no value/],
    ['proxy_user_require $arg_a error=404;', qr/"proxy_user_require" has the /
     . qr/value "error=404", allowed are error=401 and error=403/],
    ['proxy_user_require $arg_a error=;', qr/has the value "error=", allowed/],
    ['proxy_user_require error=401 $arg_a;', qr/has the value "error=401", /],
    ['proxy_user_require $nowhere;', qr/unknown "nowhere" variable/],
) {
    my ($text, $pattern) = @$_;
    my ($ok, $said) = nginx_t(location => "proxy_user on; $text");
    is $ok, 0, "refused: $text";
    like $said, qr/\[emerg\].*$pattern/, 'and why';
}

for my $place (qw(http server location)) {
    my ($ok, $said) = nginx_t($place => 'proxy_user_require $arg_a; '
                              . 'proxy_user_require $arg_b error=401;');
    is $ok, 1, "allowed in $place";
}

{
    my ($ok, $said) = nginx_t(location => 'proxy_user_require $arg_a;');
    like $said, qr/\[warn\].*"proxy_user_require" but "proxy_user" is off/,
        'a warning where nobody is asked';
}

done_testing;
