# Where a decision stands among nginx's phases and other modules: who is
# asked first, what "satisfy" makes of it, and that no way round inside nginx
# leads past it. Every table is asked twice, over HTTP/1.1 with cold caches
# and over HTTP/2 with warm ones.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

my $reader = token(claims => { roles => ['reader'] });
my $admin = token(claims => { sub => 'root', roles => ['admin'] });
my $plain = token(claims => { sub => 'carol' });
my $foreign = token(key => 'rsa2', claims => { sub => 'dave',
    iss => 'https://other.example.com', roles => ['admin'] });

my $backend = start_backend();
my $redis = redis_start();
seed_user(id => user_id(1), sub => 'alice');

write_file('users', "user:{PLAIN}pass\n");
my $right = 'Basic dXNlcjpwYXNz';
my $wrong = 'Basic dXNlcjp3cm9uZw==';

my $http = <<'END';
add_header X-Reason $proxy_user_reason always;
proxy_set_header X-Proxy-User-Id $proxy_user_id;
proxy_set_header X-Proxy-User-Name $proxy_user_name;
proxy_set_header X-Proxy-User-Roles $proxy_user_roles;
proxy_set_header X-Who $proxy_user_subject$proxy_user_handle;
limit_req_zone $request_uri zone=once:1m rate=1r/m;
limit_req_status 429;
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
    role_map admin admin;
}
proxy_user_issuer other {
    issuer https://other.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map admin admin;
}
server {
    listen 127.0.0.1:$TEST_NGINX_FREE_PORT_2;
    location = /asked/401 { return 401; }
    location = /asked/403 { return 403; }
    location / {
        add_header X-Accel-Redirect $arg_to;
        return 200;
    }
}
END


# Beside other access modules. /MODE/OTHER is one of them and what it says,
# before us (address, basic) or after us (request).

my %other = (
    'address-allow' => 'allow all;',
    'address-deny' => 'deny all;',
    'basic' => 'auth_basic closed; auth_basic_user_file '
               . '$TEST_NGINX_TMP/users;',
    'request-allow' => 'auth_request /asked/200;',
    'request-deny' => 'auth_request /asked/403;',
    'request-none' => 'auth_request /asked/401;',
);

my $gate = join '', <<'END', map {
listen 127.0.0.1:$TEST_NGINX_FREE_PORT_1 http2;
proxy_user on;
proxy_user_role reader;
proxy_user_credential bearer header=X-Token;

location = /plain { proxy_pass $TEST_NGINX_ECHO; }
location = /limit { limit_req zone=once; proxy_pass $TEST_NGINX_ECHO; }
location = /asked/200 {
    internal;
    proxy_user off;
    proxy_pass $TEST_NGINX_ECHO;
}
location /asked/ {
    internal;
    proxy_user off;
    proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_2;
}
location = /except/deny {
    limit_except GET { deny all; }
    proxy_pass $TEST_NGINX_ECHO;
}
location = /except/on {
    proxy_user off;
    limit_except GET { proxy_user on; }
    proxy_pass $TEST_NGINX_ECHO;
}
location = /nobody/request-allow {
    satisfy any;
    proxy_user optional;
    auth_request /asked/200;
    proxy_pass $TEST_NGINX_ECHO;
}
location /nobody/roles/ {
    satisfy any;
    deny all;
    proxy_user optional;
    proxy_pass $TEST_NGINX_ECHO;
}
location /nobody/free/ {
    satisfy any;
    deny all;
    proxy_user optional;
    proxy_user_role reader PUT;
    limit_except GET { proxy_user off; }
    proxy_pass $TEST_NGINX_ECHO;
}
location = /three {
    satisfy any;
    auth_basic closed;
    auth_basic_user_file $TEST_NGINX_TMP/users;
    auth_request /asked/200;
    proxy_pass $TEST_NGINX_ECHO;
}
END
    my $mode = $_;
    map { "location = /$mode/$_ { satisfy $mode; $other{$_} "
          . 'proxy_pass $TEST_NGINX_ECHO; }' . "\n" } sort keys %other;
} qw(all any);

my %redis = (
    live => 'proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET;',
    dead => 'proxy_user_redis redis://127.0.0.1:$TEST_NGINX_FREE_PORT_3;',
);

my $live = start_nginx(http => $http . $redis{live}, server => $gate);
my $http2 = http2_client($ENV{TEST_NGINX_FREE_PORT_1});

# Who is asked first: nobody pays for a look-up who is refused without one.

sub calls {
    my ($n) = $redis->command('INFO', 'commandstats')
        =~ /cmdstat_$_[0]:calls=(\d+)/;
    return $n // 0;
}

sub look_ups { calls('evalsha') }

# Caching begins when the change log is followed.
for (1 .. 100) {
    last if calls('xread');
    select undef, undef, undef, 0.02;
}

check_cases($live, 'before us',
    ['a refused address', 'GET /all/address-deny', $reader, 403, ''],
    ['an address that is enough', 'GET /any/address-allow', $reader, 200,
     ''],
    ['a wrong password', 'GET /all/basic',
     { Authorization => $wrong, 'X-Token' => $reader }, 401, '',
     'WWW-Authenticate: Basic realm="closed"'],
    ['a method that is denied', 'POST /except/deny', $reader, 403, ''],
    ['limit_req, first', 'GET /limit', undef, 401, 'no_credential'],
    ['limit_req, second', 'GET /limit', $reader, 429, ''],
);
is look_ups(), 0, 'none of them cost a look-up';

$live->get('/plain', $reader) for 1 .. 3;
is look_ups(), 1, 'one who gets as far as us costs one';

is $backend->count(qr{/asked/}), 0, 'auth_request has not been asked';
check_cases($live, 'after us',
    ['nobody', 'GET /all/request-allow', undef, 401, 'no_credential'],
    ['no reader', 'GET /all/request-allow', $plain, 403, 'role_missing'],
);
is $backend->count(qr{/asked/}), 0,
    'auth_request is not asked about somebody we refuse';
check_cases($live, 'after us',
    ['a reader', 'GET /all/request-allow', $reader, 200, 'ok']);
is $backend->count(qr{/asked/}), 1, 'but about one we let in';


# satisfy.

my %reason = (ok => 'ok', 401 => 'no_credential', 403 => 'role_missing',
              503 => 'store_unavailable');

# Status, our reason, and whose challenges there are.
sub promised {
    my ($mode, $other, $ours) = @_;

    my %says = ('address-allow' => 200, 'address-deny' => 403,
                'basic-right' => 200, 'basic-wrong' => 401,
                'request-allow' => 200, 'request-deny' => 403,
                'request-none' => 401);
    my $theirs = $says{$other};
    my $mine = $ours eq 'ok' ? 200 : $ours;
    my $first = $other !~ /^request/;
    my @basic = ('Basic realm="closed"') x ($other eq 'basic-wrong');
    my @bearer = ('Bearer realm="localhost"') x ($ours eq '401');

    if ($mode eq 'all') {
        return ($theirs, '', @basic) if $first && $theirs != 200;
        return ($mine, $reason{$ours}, @bearer) if $first || $mine != 200;
        return ($theirs, 'ok');
    }

    return (200, '') if $first && $theirs == 200;
    return (200, 'ok') if $mine == 200;
    return (503, $reason{503}, @basic) if $mine == 503;
    return (200, $reason{$ours}) if $theirs == 200;
    return ($mine == 401 || $theirs == 401 ? 401 : 403, $reason{$ours},
            @basic, @bearer);
}

sub matrix {
    my ($client, $name, %token) = @_;

    for my $mode (qw(all any)) {
        for my $other (map { $_ eq 'basic' ? qw(basic-right basic-wrong)
                                           : $_ } sort keys %other) {
            for my $ours (sort keys %token) {
                my $token = $token{$ours};
                my $uri = "/$mode/$other" =~ s/basic-.*/basic/r;
                my ($status, $reason, @challenge) =
                    promised($mode, $other, $ours);
                my $answer = $client->ask('GET', $uri, headers => [
                    ['X-Proxy-User-Id' => 'forged'],
                    $other =~ /^basic/ ? [Authorization =>
                        $other eq 'basic-right' ? $right : $wrong] : (),
                    defined $token ? ['X-Token' => $token] : ()]);
                my $title = "$name: satisfy $mode, $other, we say $ours";

                is "$answer->{status} "
                    . ($answer->{headers}{'x-reason'} // '') . ' '
                    . ($answer->{headers}{'www-authenticate'} // '-'),
                    "$status $reason " . (join(', ', @challenge) || '-'),
                    $title;

                next unless $status == 200;
                my @who = $answer->{body}
                    =~ /^(?:X-Proxy-User|X-Who)\S*: (\S+)/mg;
                my $known = $reason eq 'ok';
                is scalar(@who), $known ? 4 : 0, "$title, "
                    . ($known ? 'and the backend knows who'
                              : 'and the backend knows nobody');
            }
        }
    }
}

check_cases($_, 'limit_except',
    ['GET', 'GET /except/deny', $reader, 200, 'ok'],
    ['GET without', 'GET /except/deny', undef, 401, 'no_credential'],
    ['HEAD', 'HEAD /except/deny', $reader, 200, 'ok'],
    ['POST', 'POST /except/deny', $reader, 403, ''],
    ['off, GET', 'GET /except/on', undef, 200, ''],
    ['off, HEAD', 'HEAD /except/on', undef, 200, ''],
    ['off, POST', 'POST /except/on', undef, 401, 'no_credential'],
    ['off, POST by nobody in particular', 'POST /except/on', $plain, 403,
     'role_missing'],
    ['off, POST by a reader', 'POST /except/on', $reader, 200, 'ok'],
    ['off, FOO', 'FOO /except/on', undef, 401, 'no_credential'],
) for $live, $http2;

for my $client ($live, $http2) {
    my $name = $client == $live ? 'HTTP/1.1' : 'HTTP/2';

    matrix($client, $name, ok => $reader, 401 => undef, 403 => $plain);

    # Nobody is nobody: another module decides, and the rules hold.
    check_cases($client, "$name: optional, satisfy any",
        ['nobody has no role', 'GET /nobody/request-allow', undef, 200,
         'no_credential', '!WWW-Authenticate', qr/\A(?!.*^X-Who)/ms],
        ['a bad token is refused, but not finally',
         'GET /nobody/request-allow', 'x', 200, 'token_malformed',
         '!WWW-Authenticate', qr/\A(?!.*^X-Who)/ms],
        ['nobody behind a closed door', 'GET /nobody/roles/', undef, 401,
         'no_credential'],
        ['a reader', 'GET /nobody/roles/', $reader, 200, 'ok'],
        ['a method without a rule', 'POST /nobody/free/', undef, 403, ''],
        ['a method that no line covers', 'GET /nobody/free/', $reader, 403,
         'method_not_permitted'],
        ['two of three refuse', 'GET /three',
         { Authorization => $wrong }, 200, 'no_credential',
         '!WWW-Authenticate', qr/\A(?!.*^X-Who)/ms],
    );
}

my @told = grep { /carol/ } $backend->heads;
is "@told", '', 'nobody we refused has been named to any backend';

$live->stop;
my $dead = start_nginx(http => $http . $redis{dead}, server => $gate
    =~ s/^listen.*//r);

check_cases($dead, 'no store',
    ['what needs no look-up', 'GET /plain', undef, 401, 'no_credential'],
    ['what needs one', 'GET /plain', $reader, 503, 'store_unavailable',
     'Retry-After: 1', '!WWW-Authenticate'],
    ['a refused address', 'GET /all/address-deny', $reader, 403, '',
     '!Retry-After'],
);
matrix($dead, 'no store', 401 => undef, 503 => $reader);
$dead->stop;


# Ways round inside nginx. All of the server is closed but for what says off.

my $inside = <<'END';
listen 127.0.0.1:$TEST_NGINX_FREE_PORT_1 http2;
proxy_user on;

location / { proxy_pass $TEST_NGINX_ECHO; }
location = /sorry { proxy_user off; proxy_pass $TEST_NGINX_ECHO; }
location @sorry { proxy_user off; proxy_pass $TEST_NGINX_ECHO; }
location /strict/ { proxy_user_role admin; proxy_pass $TEST_NGINX_ECHO; }
location @strict { proxy_user_role admin; proxy_pass $TEST_NGINX_ECHO; }
location /readers/ {
    proxy_user_role reader GET;
    proxy_pass $TEST_NGINX_ECHO;
}

location /page/ {
    proxy_user_role admin;
    location /page/off { error_page 401 403 /sorry; }
    location /page/on { error_page 401 403 /strict/; }
    location /page/same { error_page 401 403 /readers/; }
    location /page/named { error_page 401 403 @sorry; }
    location /page/named/on { error_page 401 403 @strict; }
    location /page/answer { error_page 401 403 = /sorry; }
    location /page/200 { error_page 401 403 =200 /sorry; }
    location /page/200/on { error_page 401 403 =200 /strict/; }
    location /page/200/named { error_page 401 403 =200 @strict; }
    location /page/url {
        error_page 401 https://login.example.com/;
        error_page 403 =303 https://help.example.com/;
    }
    location /page/loop {
        recursive_error_pages on;
        error_page 401 403 /page/loop;
    }
}

location /try/ {
    proxy_user_role reader;
    location /try/file { try_files /index.html =404; }
    location /try/strict { try_files /none /strict/; }
    location /try/named { try_files /none @strict; }
    location /try/status { try_files /none =404; }
}
location /index/ {
    proxy_user_role reader admin;
    location = /index/index.html { proxy_user_role admin; }
}
location /last/ { proxy_user off; rewrite ^ /strict/ last; }
location /break/ {
    proxy_user_role admin;
    rewrite ^ /sorry break;
    proxy_pass $TEST_NGINX_ECHO;
}

location /accel/ {
    proxy_user_role reader admin;
    proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_2;
}
location /open/ {
    proxy_user off;
    proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_2;
}
location /query/ {
    proxy_user_credential query=t;
    proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_2;
}
location /in/ {
    internal;
    proxy_pass $TEST_NGINX_ECHO;
    location /in/other { proxy_user_accept other;
                         proxy_pass $TEST_NGINX_ECHO; }
    location /in/cookie { proxy_user_credential cookie=session;
                          proxy_pass $TEST_NGINX_ECHO; }
    location /in/both { proxy_user_credential bearer cookie=session;
                        proxy_pass $TEST_NGINX_ECHO; }
    location /in/query { proxy_user_credential query=t;
                         proxy_pass $TEST_NGINX_ECHO; }
    location /in/optional { proxy_user optional;
                            proxy_user_credential cookie=session;
                            proxy_pass $TEST_NGINX_ECHO; }
    location /in/page { proxy_user_role admin; error_page 403 @sorry;
                        proxy_pass $TEST_NGINX_ECHO; }
}

location = /secret { proxy_user_role admin; proxy_pass $TEST_NGINX_ECHO; }
location /sub/ {
    location /sub/off/ {
        proxy_user off;
        location = /sub/off/auth {
            auth_request /secret;
            proxy_pass $TEST_NGINX_ECHO;
        }
        location = /sub/off/mirror {
            mirror /mirrored;
            proxy_pass $TEST_NGINX_ECHO;
        }
        location /sub/off/ssi { ssi on; }
        location /sub/off/after { add_after_body /secret; }
    }
    location = /sub/auth {
        auth_request /secret;
        proxy_pass $TEST_NGINX_ECHO;
    }
    location = /sub/mirror {
        mirror /mirrored;
        proxy_pass $TEST_NGINX_ECHO;
    }
    location /sub/ssi { ssi on; }
    location /sub/after { add_after_body /secret; }
    location /sub/optional { proxy_user optional; ssi on; }
    location /sub/any { satisfy any; allow all; ssi on; }
    location /sub/page {
        proxy_user_role admin;
        error_page 401 403 =200 /sub/off/ssi.html;
    }
}
location = /mirrored { internal; proxy_pass $TEST_NGINX_ECHO; }

location /return/ { return 200 "not asked\n"; }

location /public/ { proxy_user off; proxy_pass $TEST_NGINX_ECHO; }
END

my $nginx = start_nginx(http => $http, server => $inside);
my $html = "$nginx->{root}/html";
mkdir "$html/$_" for qw(index sub sub/off);
write_file("$html/index/index.html", "the index\n");
for my $page (qw(ssi optional any off/ssi)) {
    write_file("$html/sub/$page.html",
               '[<!--# include virtual="/secret" -->]');
}
write_file("$html/sub/$_.html", '[]') for qw(after off/after);

my $echo = qr{\AGET };

for my $client ($nginx, $http2) {
    my $name = $client == $nginx ? 'HTTP/1.1' : 'HTTP/2';
    my $bare = 'WWW-Authenticate: Bearer realm="localhost"';

    check_cases($client, "$name: error_page",
        ['to a page that is off, nobody', 'GET /page/off', undef, 401,
         'no_credential', $bare, qr{\AGET /sorry }],
        ['to a page that is off, a reader', 'GET /page/off', $reader, 403,
         'role_missing', qr{\AGET /sorry (?!.*^X-Who)}ms],
        ['to a page that is off, POST', 'POST /page/off', $reader, 403,
         'role_missing', qr{\AGET /sorry }],
        ['not for who is let in', 'GET /page/off', $admin, 404, 'ok'],
        ['to a page that is on, nobody', 'GET /page/on', undef, 401,
         'no_credential', $bare, qr/<h1>401/],
        ['to a page that is on, a reader', 'GET /page/on', $reader, 403,
         'role_missing', qr/<h1>403/],
        ['to a page for readers, nobody', 'GET /page/same', undef, 401,
         'no_credential', $bare, qr/<h1>401/],
        ['to a page for readers, a reader', 'GET /page/same', $reader, 403,
         'ok', qr{\AGET /readers/ .*^X-Proxy-User-Name: alice}ms],
        ['to a page for readers, somebody else', 'GET /page/same', $plain,
         403, 'role_missing', qr/<h1>403/],
        ['to a name that is off', 'GET /page/named', undef, 401,
         'no_credential', $bare, qr{\AGET /page/named }],
        ['to a name that is on, nobody', 'GET /page/named/on', undef, 401,
         'no_credential', $bare, qr/<h1>401/],
        ['to a name that is on, a reader', 'GET /page/named/on', $reader,
         403, 'role_missing', qr/<h1>403/],
        ['with the code of the page', 'GET /page/answer', $reader, 200,
         'role_missing', qr{\AGET /sorry (?!.*^X-Who)}ms],
        ['=200 shows the page', 'GET /page/200', undef, 200,
         'no_credential', qr{\AGET /sorry }],
        ['=200 opens no page that is closed, nobody', 'GET /page/200/on',
         undef, 401, 'no_credential', $bare, qr/<h1>401/],
        ['=200 opens no page that is closed, a reader', 'GET /page/200/on',
         $reader, 403, 'role_missing', qr/<h1>403/],
        ['=200 opens no name that is closed', 'GET /page/200/named',
         $reader, 403, 'role_missing', qr/<h1>403/],
        ['to a url, nobody', 'GET /page/url', undef, 302, 'no_credential',
         'Location: https://login.example.com/'],
        ['to a url, a reader', 'GET /page/url', $reader, 303,
         'role_missing', 'Location: https://help.example.com/'],
        ['in a circle', 'GET /page/loop', $reader, 500, 'role_missing'],
    );

    check_cases($client, "$name: redirects inside",
        ['try_files, nobody', 'GET /try/file', undef, 401, 'no_credential'],
        ['try_files, nobody in particular', 'GET /try/file', $plain, 403,
         'role_missing'],
        ['try_files to a file', 'GET /try/file', $reader, 200, 'ok',
         qr/\Aindex$/],
        ['try_files to a status', 'GET /try/status', $reader, 404, 'ok'],
        ['try_files to a status, nobody', 'GET /try/status', undef, 401,
         'no_credential'],
        ['try_files to a stricter location', 'GET /try/strict', $reader,
         403, 'role_missing', qr/<h1>403/],
        ['try_files to a stricter name', 'GET /try/named', $reader, 403,
         'role_missing', qr/<h1>403/],
        ['try_files from where an admin may not', 'GET /try/strict', $admin,
         403, 'role_missing'],
        ['index, nobody', 'GET /index/', undef, 401, 'no_credential'],
        ['index, a reader', 'GET /index/', $reader, 403, 'role_missing',
         qr/<h1>403/],
        ['index, an admin', 'GET /index/', $admin, 200, 'ok', qr/the index/],
        ['rewrite last, nobody', 'GET /last/', undef, 401, 'no_credential'],
        ['rewrite last, a reader', 'GET /last/', $reader, 403,
         'role_missing'],
        ['rewrite last, an admin', 'GET /last/', $admin, 200, 'ok',
         qr{\AGET /strict/ }],
        ['rewrite break stays where it is', 'GET /break/', $reader, 403,
         'role_missing'],
        ['an internal location', 'GET /in/any', $admin, 404, ''],
    );

    my $bearer = "Bearer $reader";
    check_cases($client, "$name: X-Accel-Redirect",
        ['nobody', 'GET /accel/?to=/in/any', undef, 401, 'no_credential'],
        ['a reader', 'GET /accel/?to=/in/any', $reader, 200, 'ok',
         qr{\AGET /in/any .*^X-Proxy-User-Name: alice}ms],
        ['a reader, to a stricter location', 'GET /accel/?to=/strict/',
         $reader, 403, 'role_missing', qr/<h1>403/],
        ['a reader, to a stricter name', 'GET /accel/?to=@strict',
         $reader, 403, 'role_missing', qr/<h1>403/],
        ['an admin, to a stricter location', 'GET /accel/?to=/strict/',
         $admin, 200, 'ok', qr{\AGET /strict/ }],
        ['an issuer that does not count there', 'GET /accel/?to=/in/other',
         $reader, 403, 'issuer_not_accepted', '!WWW-Authenticate'],
        ['an issuer that counts there', 'GET /accel/?to=/in/other',
         $foreign, 200, 'ok', qr/^X-Proxy-User-Name: dave/m],
        ['a kind that does not count there', 'GET /accel/?to=/in/cookie',
         $reader, 401, 'no_credential', $bare],
        ['a kind that does not count there, optional',
         'GET /accel/?to=/in/optional', $reader, 200, 'anonymous',
         qr{\AGET /in/optional (?!.*^X-Who)}ms],
        ['two kinds, each in its place', 'GET /accel/?to=/in/cookie',
         { Authorization => $bearer, Cookie => "session=$plain" }, 200,
         'ok', qr/^X-Proxy-User-Name: carol/m],
        ['two kinds, the second is bad', 'GET /accel/?to=/in/cookie',
         { Authorization => $bearer, Cookie => 'session=x' }, 401,
         'token_malformed', qr/<h1>401/],
        ['two kinds, where both count', 'GET /accel/?to=/in/both',
         { Authorization => $bearer, Cookie => "session=$plain" }, 400,
         'credential_ambiguous'],
        ['a query that counts here and there',
         "GET /query/?to=/in/query&t=$reader", undef, 200, 'ok',
         qr/^X-Proxy-User-Name: alice/m],
        ['a query that does not count there',
         "GET /query/?to=/in/any&t=$reader", undef, 401, 'no_credential'],
        ['from an open location, nobody', 'GET /open/?to=/in/any', undef,
         401, 'no_credential'],
        ['from an open location, a bad token', 'GET /open/?to=/in/any',
         'x', 401, 'token_malformed'],
        ['from an open location, a reader', 'GET /open/?to=/in/any',
         $reader, 200, 'ok'],
        ['refused there, to a page', 'GET /accel/?to=/in/page', $reader,
         403, 'role_missing', qr{\AGET /in/page (?!.*^X-Who)}ms],
    );

    # Subrequests skip the access phase; what we can do is close the door.
    my $secrets = $backend->count(qr{^GET /secret });
    my $hidden = qr/\A\[.*403 Forbidden.*\]\z/s;
    my $shown = qr{\A\[GET /secret .*\]\z}s;
    check_cases($client, "$name: subrequests",
        ['auth_request from off', 'GET /sub/off/auth', undef, 403, ''],
        ['auth_request from off, with a token', 'GET /sub/off/auth', $admin,
         403, ''],
        ['SSI from off', 'GET /sub/off/ssi.html', undef, 200, '', $hidden],
        ['SSI from off, with a token', 'GET /sub/off/ssi.html', $admin, 200,
         '', $hidden],
        ['SSI from optional, nobody', 'GET /sub/optional.html', undef, 200,
         'anonymous', $hidden],
        ['SSI from satisfy any', 'GET /sub/any.html', $admin, 200, '',
         $hidden],
        ['SSI from an error page', 'GET /sub/page', $reader, 200,
         'role_missing', $hidden],
        ['SSI from on, nobody', 'GET /sub/ssi.html', undef, 401,
         'no_credential'],
        ['add_after_body from off', 'GET /sub/off/after.html', undef, 200,
         '', qr/\A\[\].*403 Forbidden/s],
    );
    is $backend->count(qr{^GET /secret }), $secrets,
        "$name: the backend has seen none of them";

    check_cases($client, "$name: subrequests",
        ['auth_request from on', 'GET /sub/auth', $reader, 200, 'ok'],
        ['SSI from on', 'GET /sub/ssi.html', $reader, 200, 'ok', $shown],
        ['SSI from optional', 'GET /sub/optional.html', $reader, 200, 'ok',
         $shown],
        ['add_after_body from on', 'GET /sub/after.html', $reader, 200,
         'ok', qr{\A\[\]GET /secret }],
    );
    is $backend->count(qr{^GET /secret .*^X-Proxy-User-Name: alice}ms),
        4 * ($client == $nginx ? 1 : 2),
        "$name: and has been told who asks";

    my $mirrored = $backend->count(qr{^GET /mirrored });
    $client->ask('GET', '/sub/off/mirror');
    $client->ask('GET', '/sub/off/mirror', token => $admin);
    $client->ask('GET', '/sub/mirror', token => $reader);
    ok $backend->wait_for(qr{^GET /mirrored .*^X-Proxy-User-Name: alice}ms),
        "$name: a mirror from on";
    is $backend->count(qr{^GET /mirrored }), $mirrored + 1,
        "$name: no mirror from off";

    # nginx answers this before any access module: nothing to be done here.
    check_cases($client, "$name: return",
        ['is nginx\'s own answer', 'GET /return/', undef, 200, '',
         qr/not asked/]);


    # Everything but /public/ is closed: what is not it must not look so.
    check_cases($client, "$name: paths",
        ['open', 'GET /public/a', undef, 200, ''],
        map { [$_, "GET $_", undef, 401, 'no_credential'] } qw(
            /a //a /./a /%61 /public/../a /public/%2e%2e/a /public/..%2fa
            /public/.%2e/a //public/../a /public/./../a /Public/a /PUBLIC/a
            /public;x/a /;/public/a /public%20/a /%2570ublic/a /public%5ca
            /x/..;/public/a /publi%c0%af /strict//public/ /.public/
            /a?/public/ /a%3f/public/ /a;/../public/../b
        ));

    # Access runs for every method, known or not.
    check_cases($client, "$name: methods",
        (map { [$_, "$_ /a", undef, 401, 'no_credential'] }
         qw(GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND MKCOL COPY MOVE
            LOCK UNLOCK FOO)),
        ['TRACE is never', 'TRACE /a', $admin, 405, ''],
        ['a preflight is no exception', 'OPTIONS /a',
         { Origin => 'https://a.example.com',
           'Access-Control-Request-Method' => 'GET' }, 401,
         'no_credential'],
        ['an override is none', 'GET /strict/',
         { Authorization => $bearer, 'X-Original-URL' => '/public/',
           'X-Rewrite-URL' => '/public/', 'X-HTTP-Method-Override' =>
           'OPTIONS', 'X-Forwarded-Uri' => '/public/' }, 403,
         'role_missing'],
        ['OPTIONS by a reader', 'OPTIONS /a', $reader, 200, 'ok'],
        ['FOO by a reader', 'FOO /a', $reader, 200, 'ok'],
    );
}

check_cases($nginx, 'forms of HTTP/1.1 alone',
    ['absolute', 'GET http://localhost/a', undef, 401, 'no_credential'],
    ['absolute, of another host', 'GET http://public/a', undef, 401,
     'no_credential'],
    ['absolute, with a path like the open one',
     'GET http://localhost/public/../a', undef, 401, 'no_credential'],
    ['a fragment', 'GET /a#/public/', undef, 401, 'no_credential'],
    ['a backslash', 'GET /\\public\\a', undef, 401, 'no_credential'],
    ['small letters', 'get /a', undef, 400, ''],
    ['above the root', 'GET /../a', undef, 400, ''],
    ['OPTIONS *', 'OPTIONS *', undef, 400, ''],
);

# Exactly one challenge, however often a request was refused on its way.
for my $uri (qw(/page/off /page/on /page/named/on /page/200/on /page/same)) {
    my $raw = $nginx->ask('GET', $uri)->{raw};
    is scalar(() = $raw =~ /^WWW-Authenticate:/mig), 1,
        "one challenge from $uri";
}


# The body of a refused request is no part of the next one.

my $body = 'GET /public/ HTTP/1.1\r\nHost: x\r\n\r\n' x 30000;
$body = substr $body, 0, 1024 * 1024;

for my $credential (undef, $reader, 'x') {
    my $c = $nginx->connect;
    $c->ask('POST', '/strict/', token => $credential, body => $body);
    my $first = $c->answer;
    like $first->{status}, qr/^40[13]$/, 'a megabyte is refused';

    $c->ask('GET', '/a', token => $plain);
    my $second = $c->answer // { status => 'closed', body => '' };
    is $second->{status}, 200, 'and the next request answered';
    like $second->{body}, qr{\AGET /a .*^X-Proxy-User-Name: carol}ms,
        'as what it is';
    $c->close;
}

my $c = $nginx->connect;
$c->send("POST /strict/ HTTP/1.1\r\nHost: localhost\r\n"
         . "Transfer-Encoding: chunked\r\n\r\n"
         . join '', map { "1000\r\n" . 'x' x 4096 . "\r\n" } 1 .. 64);
is $c->answer->{status}, 401, 'chunks are refused';
$c->send("0\r\n\r\n");
$c->ask('GET', '/a', token => $plain);
is $c->answer->{status}, 200, 'and the next request is answered';
$c->close;

my $answer = $nginx->ask('POST', '/a', token => $plain, body => $body);
is $answer->{headers}{'x-body'}, length($body) . ' '
    . Digest::MD5::md5_hex($body), 'a body that is let in arrives whole';

done_testing;
