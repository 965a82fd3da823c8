# Identity headers from outside reach no backend, in whatever spelling, on
# whatever way through nginx; every other header does, unchanged and in its
# place. The backend shows the bytes it was sent.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

my $alice = token(claims => { roles => ['reader'] });
my $carol = token(claims => { sub => 'carol' });
my $backend = start_backend();

write_file('users', "user:{PLAIN}pass\n");

# nginx itself drops names with "_" or "." unless told not to: here it is.
my $nginx = start_nginx(http => <<'END', server => <<'END');
server {
    listen 127.0.0.1:$TEST_NGINX_FREE_PORT_2;
    location / {
        add_header X-Accel-Redirect $arg_to;
        return 200;
    }
}
END
listen 127.0.0.1:$TEST_NGINX_FREE_PORT_1 http2;
underscores_in_headers on;
ignore_invalid_headers off;
large_client_header_buffers 8 16k;

location /off { proxy_pass $TEST_NGINX_ECHO; }
location /on { proxy_user on; proxy_pass $TEST_NGINX_ECHO; }
location /optional { proxy_user optional; proxy_pass $TEST_NGINX_ECHO; }
location /set {
    proxy_user optional;
    proxy_set_header Host $http_host;
    proxy_set_header X-Proxy-User-Id $proxy_user_id;
    proxy_set_header X-Proxy-User-Name $proxy_user_name;
    proxy_pass $TEST_NGINX_ECHO;
}
location /options {
    proxy_user on;
    limit_except OPTIONS { proxy_user off; }
    proxy_pass $TEST_NGINX_ECHO;
}
location /page {
    proxy_user on;
    proxy_user_role admin;
    error_page 401 403 @page;
    location /page/uri { error_page 401 403 = /off; }
}
location @page { proxy_pass $TEST_NGINX_ECHO; }
location /missing { error_page 404 = @page; try_files /none =404; }
location /any/ {
    satisfy any;
    proxy_user on;
    location /any/allow { allow all; proxy_pass $TEST_NGINX_ECHO; }
    location /any/basic {
        auth_basic closed;
        auth_basic_user_file $TEST_NGINX_TMP/users;
        proxy_pass $TEST_NGINX_ECHO;
    }
    location /any/request {
        auth_request /asked;
        proxy_pass $TEST_NGINX_ECHO;
    }
}
location = /asked { internal; proxy_pass $TEST_NGINX_ECHO; }
location /auth { auth_request /asked; proxy_pass $TEST_NGINX_ECHO; }
location /mirror { mirror /mirrored; proxy_pass $TEST_NGINX_ECHO; }
location = /mirrored { internal; proxy_pass $TEST_NGINX_ECHO; }
location /ssi { ssi on; }
location /included { proxy_pass $TEST_NGINX_ECHO; }
location /try { try_files /none @page; }
location /last { rewrite ^ /off last; }
location /accel {
    proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT_2;
}
location /kept {
    proxy_user_strip off;
    proxy_pass $TEST_NGINX_ECHO;
    location /kept/last { proxy_user_strip off; rewrite ^ /off last; }
}
location /several {
    proxy_user_strip X-Id x_role. X-Proxy-User Forwarded;
    proxy_pass $TEST_NGINX_ECHO;
}
location /forwarded {
    proxy_user_strip X-Forwarded;
    proxy_set_header X-Added $proxy_add_x_forwarded_for;
    proxy_set_header X-Read "[$http_x_forwarded_for]";
    proxy_pass $TEST_NGINX_ECHO;
    location /forwarded/not {
        proxy_user_strip X-Proxy-User;
        proxy_set_header X-Added $proxy_add_x_forwarded_for;
        proxy_set_header X-Read "[$http_x_forwarded_for]";
        proxy_pass $TEST_NGINX_ECHO;
    }
}
location /known {
    proxy_user_strip Accept User-Agent Referer If-;
    proxy_set_header X-Read "[$http_user_agent][$http_referer]";
    proxy_pass $TEST_NGINX_ECHO;
}
location /known/file {
    proxy_user_strip If- Accept-Encoding;
    try_files /index.html =404;
}
location /read {
    add_header X-Read "[$http_x_proxy_user_id][$http_x_proxy_user]" always;
    try_files /index.html =404;
}
location /refused {
    proxy_user on;
    add_header X-Read "[$http_x_proxy_user_id][$http_x_proxy_user]" always;
}
END

my $http2 = http2_client($ENV{TEST_NGINX_FREE_PORT_1});
write_file("$nginx->{root}/html/ssi.html",
           '<!--# include virtual="/included" -->');

my @client = ([$nginx, 'HTTP/1.1'], [$http2, 'HTTP/2']);

# What reached the backend, without what nginx adds and the credential.
sub arrived {
    my ($answer) = @_;

    return "status $answer->{status}"
        unless $answer->{body} =~ m{\A[A-Z]+ \S+ HTTP/1\.[01]\r\n};
    return join "\n", map { join ': ', @$_ }
        grep { $_->[0] !~ /^(?:Host|Connection|Authorization
                              |Content-Length)$/ix }
        @{ headers_of($answer->{body}) };
}


# Spellings.

my @bad = qw(
    X-Proxy-User X-Proxy-User-Id X-Proxy-User-Name X-Proxy-User-Roles
    x-proxy-user-id X-PROXY-USER-ID x-PrOxY-uSeR-iD X_Proxy_User_Id
    X_PROXY_USER X-Proxy_User-Id x_proxy-user_id X.Proxy.User.Id
    X-Proxy.User-Id x.proxy_user-id X-Proxy-Username X-Proxy-User-
    X-Proxy-User.. X_proxy.user_roles X-Proxy-User-Email
    X-Proxy-User-Claim-Sub
);
my @good = (
    ['X-Proxy-Use' => 'almost'], ['XX-Proxy-User' => 'one more before'],
    ['Proxy-User-Id' => 'no X'], ['X-ProxyUser-Id' => 'no dash'],
    ['X-Proxy--User' => 'two dashes'], ['X-Proxy-Usel' => 'another letter'],
    ['X-Real-IP' => '192.0.2.1'], ['x_plain.name' => 'dots and all'],
);

for (@client) {
    my ($client, $name) = @$_;

    for my $bad (@bad) {
        my $answer = $client->ask('GET', '/off', headers => [
            ['X-First' => 1], [$bad => 'forged'], ['X-Last' => 2]]);
        is lc arrived($answer), "x-first: 1\nx-last: 2", "$name: no $bad";
    }

    my $answer = $client->ask('GET', '/off', headers => \@good);
    is lc arrived($answer), lc join("\n", map { join ': ', @$_ } @good),
        "$name: but what only looks so";

    $answer = $client->ask('GET', '/off',
                           headers => [map { [$_ => 'forged'] } @bad]);
    is arrived($answer), '', "$name: not all of them together either";
}


# Ways through nginx.

for (@client) {
    my ($client, $name) = @$_;

    for my $way (
        ['off', 'GET', '/off'], ['off, a token', 'GET', '/off', $alice],
        ['on', 'GET', '/on', $alice], ['POST', 'POST', '/on', $alice],
        ['optional, nobody', 'GET', '/optional'],
        ['optional, alice', 'GET', '/optional', $alice],
        ['OPTIONS', 'OPTIONS', '/off'], ['a method unknown', 'FOO', '/off'],
        ['OPTIONS, on', 'OPTIONS', '/on', $alice],
        ['off by limit_except', 'DELETE', '/options'],
        ['error_page, 401', 'GET', '/page'],
        ['error_page, 403', 'GET', '/page', $carol],
        ['error_page, a bad token', 'GET', '/page', 'x'],
        ['error_page to a uri', 'GET', '/page/uri', $carol],
        ['error_page, not ours', 'GET', '/missing'],
        ['satisfy any, we are not asked', 'GET', '/any/allow'],
        ['satisfy any, we refuse', 'GET', '/any/request'],
        ['satisfy any, we allow', 'GET', '/any/basic', $alice],
        ['auth_request', 'GET', '/auth'], ['mirror', 'GET', '/mirror'],
        ['try_files', 'GET', '/try'], ['rewrite last', 'GET', '/last'],
        ['SSI', 'GET', '/ssi.html'],
        ['X-Accel-Redirect', 'GET', '/accel?to=/off'],
        ['X-Accel-Redirect to a name', 'GET', '/accel?to=@page'],
        ['off before, on then', 'GET', '/kept/last'],
    ) {
        my ($title, $method, $uri, $token) = @$way;
        my $answer = $client->ask($method, $uri, token => $token,
            headers => [['X-Proxy-User-Id' => 'forged'], ['X-Kept' => 1],
                        ['x_proxy_user' => 'forged']]);
        is lc arrived($answer), 'x-kept: 1', "$name: $title";
    }

    my $answer = $client->ask('GET', '/kept', headers => [
        ['X-Proxy-User-Id' => 'told'], ['X_Proxy_User' => 'told']]);
    is lc arrived($answer), "x-proxy-user-id: told\nx_proxy_user: told",
        "$name: proxy_user_strip off";
}

$backend->wait_for(qr{^GET /mirrored });
for my $uri (qw(/asked /mirrored /included)) {
    my @head = grep { m{^GET \Q$uri\E } } $backend->heads;
    ok @head >= 2, "$uri was asked";
    is scalar(grep { !/^X-Kept: 1/mi } @head), 0, 'with what is kept';
    is scalar(grep { /forged/ } @head), 0, 'and nothing forged';
}


# Beside our own headers of that name, and in variables.

for (@client) {
    my ($client, $name) = @$_;
    my @forged = (['X-Proxy-User-Id' => 'u_forged'],
                  ['x_proxy_user_name' => 'root']);

    my $answer = $client->ask('GET', '/set', token => $alice,
                              headers => \@forged);
    like arrived($answer),
        qr/\AX-Proxy-User-Id: u_[\w-]{22}\nX-Proxy-User-Name: alice\z/,
        "$name: only ours for alice";
    $answer = $client->ask('GET', '/set', headers => \@forged);
    is arrived($answer), '', "$name: none for nobody";

    for my $uri (qw(/read /refused)) {
        $answer = $client->ask('GET', $uri, headers => [
            @forged, ['X-Proxy-User' => 'forged']]);
        is $answer->{headers}{'x-read'}, '[][]',
            "$name: not in a variable after access, $answer->{status}";
    }
}


# Order, bytes and number of what stays. nginx keeps headers in parts of 20.

sub kept_of {
    my ($client, $title, @header) = @_;

    my @wanted = map { join ': ', @$_ }
        grep { $_->[0] !~ /^x-proxy-user/ } @header;
    my $answer = $client->ask('GET', '/off', headers => \@header);
    is arrived($answer), join("\n", @wanted), $title;
}

for (@client) {
    my ($client, $name) = @$_;
    my $many = sub {
        my ($n, $bad) = @_;
        map { $bad->($_) ? ["x-proxy-user-$_" => 'forged']
                         : ["x-h$_" => "value $_"] } 1 .. $n;
    };

    for my $n (1, 17, 18, 19, 20, 21, 22, 38, 39, 40, 41, 60, 95) {
        kept_of($client, "$name: none of $n", $many->($n, sub { 0 }));
        kept_of($client, "$name: the first of $n",
                $many->($n, sub { $_[0] == 1 }));
        kept_of($client, "$name: the last of $n",
                $many->($n, sub { $_[0] == $n }));
        kept_of($client, "$name: every second of $n",
                $many->($n, sub { $_[0] % 2 }));
    }

    kept_of($client, "$name: a whole part, and more",
            $many->(70, sub { $_[0] > 15 && $_[0] < 50 }));
    kept_of($client, "$name: all but the last of many",
            $many->(70, sub { $_[0] < 70 }));
    kept_of($client, "$name: all of many", $many->(70, sub { 1 }));

    kept_of($client, "$name: the same name more than once",
            ['x-a' => 1], ['x-proxy-user' => 1], ['x-b' => 1], ['x-a' => 2],
            ['x-proxy-user' => 2], ['x-a' => 1]);
    kept_of($client, "$name: any bytes", ['x-a' => "\xff\xfe \"\\,;="],
            ['x-proxy-user' => 1], ['x-b' => 'y' x 9000],
            ['x-c' => ''], ['x-d' => "a\tb"], ['cookie' => 'a=b; c=d']);
}

# Which headers nginx itself reads of a request stays as it was.
my $answer = $nginx->ask('POST', '/set', token => $alice, body => 'a body',
    headers => [['X-Proxy-User' => 1], [Host => 'example.org'],
                ['Content-Type' => 'text/x'], [Cookie => 'a=b']]);
is $answer->{headers}{'x-body'},
    '6 ' . Digest::MD5::md5_hex('a body'), 'the body arrives';
like $answer->{body}, qr/^Host: example\.org\r$/m, 'and the host';
like $answer->{body}, qr/^Content-Type: text\/x\r$/m, 'and the type';
like $answer->{body}, qr/^Authorization: Bearer \Q$alice\E\r?$/m,
    'and the credential';


# Other prefixes.

for (@client) {
    my ($client, $name) = @$_;
    my @header = (
        ['x-id' => 1], ['X_Id_Number' => 2], ['x-ident' => 3],
        ['X-Role' => 4], ['X-Role-Name' => 5], ['x_role_' => 6],
        ['x-roles' => 7], ['x-proxy-user' => 8], ['Forwarded' => 'for=x'],
        ['x-forwarded-for' => '192.0.2.1'], ['x-i' => 9],
    );

    my $answer = $client->ask('GET', '/several', headers => \@header);
    is lc arrived($answer), join("\n", 'x-role: 4', 'x-roles: 7',
        'x-forwarded-for: 192.0.2.1', 'x-i: 9'),
        "$name: several prefixes, each of them a prefix";

    my @for = (['X-Forwarded-For' => '192.0.2.1'],
               ['x-forwarded-for' => '192.0.2.2'],
               ['X-Forwarded-Proto' => 'https']);
    $answer = $client->ask('GET', '/forwarded', headers => \@for);
    is arrived($answer), "X-Added: 127.0.0.1\nX-Read: []",
        "$name: X-Forwarded-For is gone from nginx's own memory too";
    $answer = $client->ask('GET', '/forwarded/not', headers => \@for);
    like arrived($answer), qr/\AX-Added: 192\.0\.2\.1, 192\.0\.2\.2, 127/,
        "$name: and is there where it is not taken out";

    my @known = (['User-Agent' => 'forged'], [Referer => 'forged'],
                 [Accept => 'forged'], ['Accept-Language' => 'forged'],
                 ['If-None-Match' => '"forged"'], ['X-Kept' => 1]);
    $answer = $client->ask('GET', '/known', headers => \@known);
    is lc arrived($answer), "x-read: [][]\nx-kept: 1",
        "$name: headers nginx knows";

    $answer = $client->ask('GET', '/known/file', headers => [
        ['If-Modified-Since' => 'Fri, 01 Jan 2999 00:00:00 GMT'],
        ['If-None-Match' => '*']]);
    is "$answer->{status} $answer->{body}", "200 index\n",
        "$name: nginx does not act on what was taken out";
}

done_testing;
