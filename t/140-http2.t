# The same life over HTTP/2: many requests share a connection, each with its
# own credential, and any of them may be cut off while the others go on.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

use Time::HiRes qw(sleep time);

my $alice = token(claims => { roles => ['reader'], scope => 'read' });
my $bob = token(claims => { sub => 'bob' });

sub stranger { token(claims => { sub => $_[0] }) }

my $backend = start_backend();
my $redis = redis_start();
seed_user(id => user_id(1), sub => 'alice');
seed_user(id => user_id(2), sub => 'bob');
seed_user(id => user_id(3), sub => 'mallory', state => 'suspended');
seed_user(id => user_id(4), sub => 'eve', state => 'suspended');
my $mallory = stranger('mallory');

my $nginx = start_nginx(workers => 2, http => <<'END', server => <<'END');
proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET timeout=4s;
log_format who '$request_uri $status <$proxy_user_subject> $server_protocol';
END
listen 127.0.0.1:$TEST_NGINX_FREE_PORT_1 http2;
access_log logs/access.log who;
proxy_user_audit logs/audit.log;
add_header X-Reason $proxy_user_reason always;
add_header X-Subject $proxy_user_subject always;
http2_max_concurrent_streams 256;
keepalive_requests 10000;
large_client_header_buffers 4 64k;
client_max_body_size 8m;
proxy_user on;
proxy_set_header X-Who $proxy_user_subject;

location / { proxy_pass $TEST_NGINX_ECHO; }
location /file { try_files /index.html =404; }
location /role {
    proxy_user_role reader GET;
    try_files /index.html =404;
}
location /scope {
    proxy_user_scope write;
    try_files /index.html =404;
}
location /optional { proxy_user optional; proxy_pass $TEST_NGINX_ECHO; }
location /off { proxy_user off; proxy_pass $TEST_NGINX_ECHO; }
location /cookie {
    proxy_user_credential cookie=session;
    proxy_pass $TEST_NGINX_ECHO;
}
location /header {
    proxy_user_credential header=X-Token;
    proxy_pass $TEST_NGINX_ECHO;
}
location /both {
    proxy_user_credential bearer header=X-Token cookie=session;
    proxy_pass $TEST_NGINX_ECHO;
}
location /large { try_files /large =404; }
END

my @worker = $nginx->all_workers(2);
my $http2 = http2_client($ENV{TEST_NGINX_FREE_PORT_1});
write_file("$nginx->{root}/html/large", 'x' x 300_000);

sub logged {
    my ($pattern, $seconds) = @_;

    my $end = time + ($seconds // 3);
    until (read_file("$nginx->{root}/logs/access.log") =~ $pattern) {
        return 0 if time > $end;
        sleep 0.02;
    }

    return 1;
}

sub bearer { defined $_[0] ? [Authorization => "Bearer $_[0]"] : () }

sub is_well {
    my ($title) = @_;

    my $c = $http2->connect;
    my @id = map { $c->open(GET => '/file', bearer($_)) }
        $alice, undef, $mallory, 'x';
    my %got = $c->answers(@id);
    is join(' ', map { $got{$_}{status} // 'none' } @id), '200 401 403 401',
        "$title: four on a connection";
    is join(' ', sort $nginx->workers), "@worker", "$title: same workers";
    $c->close;
}


# One at a time.

my $bare = 'WWW-Authenticate: Bearer realm="localhost"';
my $too_large = token(claims => { x => 'y' x 12500 });
for my $pass ('cold', 'warm') {
    check_cases($http2, $pass,
        ['nobody', 'GET /', undef, 401, 'no_credential', $bare],
        ['alice', 'GET /', $alice, 200, 'ok', 'X-Subject: alice',
         qr/^X-Who: alice/m],
        ['suspended', 'GET /', $mallory, 403, 'user_suspended',
         '!WWW-Authenticate'],
        ['a reader', 'GET /role', $alice, 200, 'ok'],
        ['a reader writes', 'POST /role', $alice, 403,
         'method_not_permitted'],
        ['no reader', 'GET /role', $bob, 403, 'role_missing'],
        ['no scope', 'GET /scope', $alice, 403, 'scope_missing',
         "$bare, error=\"insufficient_scope\", scope=\"write\""],
        ['HEAD', 'HEAD /role', $bob, 403, 'role_missing'],
        ['OPTIONS', 'OPTIONS /', undef, 401, 'no_credential'],
        ['a word', 'GET /', 'x', 401, 'token_malformed'],
        ['forged', 'GET /', token(key => 'rsa2', kid => 'rsa1'), 401,
         'token_signature'],
        ['17 KiB', 'GET /', $too_large, 401, 'token_too_large'],
        ['two words', 'GET /', 'a b', 400, 'credential_malformed',
         "$bare, error=\"invalid_request\""],
        ['small letters', 'GET /', { authorization => "bearer $alice" },
         200, 'ok'],
        ['optional, nobody', 'GET /optional', undef, 200, 'anonymous',
         qr/\A(?!.*^X-Who)/ms],
        ['optional, a word', 'GET /optional', 'x', 401, 'token_malformed'],
        ['off', 'GET /off', 'x', 200, '', qr/\A(?!.*^X-Who)/ms],
        ['cookie', 'GET /cookie', { Cookie => "a=b; session=$alice" }, 200,
         'ok'],
        ['cookie, as bearer', 'GET /cookie', $alice, 401, 'no_credential'],
        ['header', 'GET /header', { 'X-Token' => $alice }, 200, 'ok'],
        ['header, forged', 'GET /header',
         { 'X-Token' => tamper($alice, 1, sub { $_[0] =~ s/alice/admin/r }) },
         401, 'token_signature'],
        ['two places', 'GET /both',
         { 'X-Token' => $alice, Cookie => "session=$alice" }, 400,
         'credential_ambiguous'],
        ['JSON', 'GET /role', { Authorization => "Bearer $bob",
                                Accept => 'application/json' }, 403,
         'role_missing', 'Content-Type: application/problem+json',
         qr/\A\{"type":"about:blank",.*"reason":"role_missing"/],
    );
}

# HTTP/2 splits cookies, and lets a client send any header twice.
my $c = $http2->connect;
my $path = '/both';
my @id = (
    $c->open(GET => $path, [cookie => 'a=b'], [cookie => "session=$alice"]),
    $c->open(GET => $path, [cookie => "session=$alice"],
             [cookie => "session=$bob"]),
    $c->open(GET => $path, bearer($alice), bearer($bob)),
    $c->open(GET => $path, bearer('x'), bearer($alice)),
    $c->open(GET => $path, ['x-token' => $alice], ['x-token' => $alice]),
    $c->open(GET => $path, bearer($alice), [cookie => "session=$bob"]),
    $c->open(GET => $path, [authorization => "BEARER $alice"]),
    $c->open(GET => $path, ['authorization' => "Basic eDp5"]),
    $c->open(GET => $path, ['authorization' => '']),
    $c->open(GET => $path),
);
my %got = $c->answers(@id);
is join(' ', map { $got{$_}{status} // 'none' } @id),
    '200 400 400 400 400 400 200 401 401 401',
    'more than one credential, and none';
$c->close;


# Many at once, everybody as himself.

for my $pass ('cold', 'warm') {
    my $c = $http2->connect;
    my (%want, @id);

    for my $n (1 .. 60) {
        my ($token, $path, $status, $who) = @{ (
            [stranger("many $n"), '/', 200, "many $n"], [undef, '/', 401],
            [$bob, '/', 200, 'bob'], [$mallory, '/', 403],
            ['x', '/', 401], [$bob, '/role', 403],
            [$alice, '/', 200, 'alice'], [undef, '/optional', 200, '']
        )[$n % 8] };
        my $id = $c->open(GET => $path, bearer($token), ['x-n' => $n]);
        $want{$id} = [$status, $who, $n];
        push @id, $id;
    }

    my %got = $c->answers(@id);
    my @wrong = grep {
        my ($status, $who, $n) = @{ $want{$_} };
        my $answer = $got{$_} // { status => 'none', body => '' };
        my ($told) = $answer->{body} =~ /^X-Who: ([^\r\n]*)/m;
        my ($number) = $answer->{body} =~ /^X-N: (\d+)/mi;

        $answer->{status} ne $status
            || defined $who && (($told // '') ne $who || $number != $n);
    } @id;
    is "@wrong", '', "$pass: sixty streams, each with its own answer";
    is_deeply [sort { $a <=> $b } map { $_->[0] } values %want],
        [sort { $a <=> $b } map { $got{$_}{status} } @id],
        "$pass: allowed and refused, as many as there were";
    $c->close;
}


# Some wait; the others do not wait for them.

$redis->freeze;
$c = $http2->connect;
my @slow = map { $c->open(GET => '/', bearer(stranger("slow $_"))) } 1 .. 5;
my $refused = $c->open(GET => '/', bearer(stranger('eve')));
my @quick = map { $c->open(GET => $_->[0], bearer($_->[1])) }
    ['/file', undef], ['/file', 'x'], ['/off', undef],
    ['/optional', undef], ['/file', $bob], ['/large', $bob];
my $since = time;
%got = $c->answers(@quick);
is join(' ', map { $got{$_}{status} // 'none' } @quick),
    '401 401 200 200 200 200', 'who need not wait is answered at once';
ok time - $since < 1, 'indeed';
is length $got{ $quick[5] }{body}, 300_000, 'with all of it';
is scalar(grep { $c->{stream}{$_}{done} } @slow, $refused), 0,
    'who has to wait is not';
is $backend->count(qr/^X-Who: slow/m), 0, 'and has reached no backend';
$redis->thaw;
%got = $c->answers(@slow, $refused);
is join(' ', map { $got{$_}{status} // 'none' } @slow, $refused),
    '200 200 200 200 200 403', 'until Redis has spoken';
is join(' ', map { $got{$_}{body} =~ /^X-Who: (slow \d)/m } @slow),
    join(' ', map { "slow $_" } 1 .. 5), 'each as himself';
$c->close;


# Cut off while waiting.

$redis->freeze;
$c = $http2->connect;
@slow = map { $c->open(GET => "/cut/$_", bearer(stranger("cut $_"))) }
    1 .. 8;
sleep 0.1;
$c->reset($_) for @slow[0, 2, 4, 6];
ok logged(qr{^/cut/7 499 <cut 7> HTTP/2.0$}m), 'a stream cut off is a 499';
$redis->thaw;
%got = $c->answers(@slow[1, 3, 5, 7]);
is join(' ', map { $got{$_}{status} // 'none' } @slow[1, 3, 5, 7]),
    '200 200 200 200', 'the others on the connection go on';
is $backend->count(qr{^GET /cut/[1357] }), 0,
    'none that was cut off was passed on';
@id = map { $c->open(GET => '/file', bearer($_)) } stranger('cut 1'), undef;
%got = $c->answers(@id);
is join(' ', map { $got{$_}{status} // 'none' } @id), '200 401',
    'and it takes new ones';
$c->close;
is_well('after streams cut off');

# One user's record, awaited by many streams of many connections.
$redis->freeze;
my $shared = bearer(stranger('shared'));
my @c = map { $http2->connect } 1 .. 4;
my @stream = map { my $c = $_; [map { $c->open(GET => "/shared/$_",
    $shared) } 1 .. 4] } @c;
sleep 0.1;
$c[0]->close;
$c[1]->reset($_) for @{ $stream[1] }[0, 1];
ok logged(qr{^/shared/4 499 }m), 'some of those who wait together go';
$redis->thaw;
for my $n (1 .. 3) {
    my @id = @{ $stream[$n] };
    splice @id, 0, 2 if $n == 1;
    my %got = $c[$n]->answers(@id);
    is join(' ', map { $got{$_}{status} // 'none' } @id),
        join(' ', (200) x @id), "the others are let in, $n";
}
$_->close for @c[1 .. 3];

# By curl, as people do it.
$redis->freeze;
my $answer = $http2->ask('GET', '/curl', token => stranger('curl'),
                         timeout => 0.3);
is $answer->{status}, 0, 'curl -m 0.3 gives up';
ok logged(qr{^/curl 499 }m), 'which is a 499';
$redis->thaw;
is $http2->ask('GET', '/file', token => stranger('curl'))->{status}, 200,
    'then he is let in';

# A storm: opened and cut off faster than anybody can answer.
for my $round (1 .. 3) {
    $c = $http2->connect;
    for my $n (1 .. 100) {
        my $id = $c->open(GET => '/storm', bearer($n % 2
            ? stranger("storm $round $n") : $n % 4 ? $alice : $mallory));
        $c->reset($id) if $n % 5;
    }
    my @left = grep { !$c->{stream}{$_}{done} } keys %{ $c->{stream} };
    my %got = $c->answers(@left);
    is scalar(grep { ($got{$_}{status} // 0) =~ /^(?:200|403)$/ } @left), 20,
        "a storm, $round: who stays is answered";
    $c->close;
}
is_well('after a storm');

# The connection itself goes.
for my $round (1 .. 3) {
    $redis->freeze;
    @c = map { $http2->connect } 1 .. 5;
    for my $c (@c) {
        $c->open(GET => "/lost/$round", bearer(stranger("l$round $_")))
            for 1 .. 10;
    }
    sleep 0.05;
    $_->close for @c[0 .. 3];
    $c[4]->frame(ProxyUser::HTTP2::Connection::GOAWAY, 0, 0,
                 pack 'NN', 0, 0);
    $redis->thaw;
    my %got = $c[4]->answers(1, 3, 5);
    is join(' ', map { $got{$_}{status} // 'none' } 1, 3, 5), '200 200 200',
        "connections lost, $round: the last one is answered";
    $c[4]->close;
}
is_well('after connections lost');


# Bodies: refused, let in, and on their way while the request waits.

my $body = join '', map { chr 33 + $_ * 11 % 90 } 1 .. 1_000_000;
my $digest = Digest::MD5::md5_hex($body);

$c = $http2->connect;
my $first = $c->open(POST => '/', { body => $body });
my $second = $c->open(POST => '/', bearer($bob), { body => $body });
my $third = $c->open(GET => '/', bearer($alice));
%got = $c->answers($first, $second, $third);
is join(' ', map { $got{$_}{status} // 'none' } $first, $second, $third),
    '401 200 200', 'a megabyte refused, one let in, and the next request';
$c->close;

is $http2->ask('POST', '/', token => $bob, body => $body)
    ->{headers}{'x-body'}, "1000000 $digest", 'which arrives whole';

$redis->freeze;
$c = $http2->connect;
$first = $c->open(POST => '/', bearer(stranger('body')), { more => 1 });
my $small = substr $body, 0, 40_000;
for my $n (0 .. 3) {
    $c->data($first, substr($small, $n * 10_000, 10_000), $n < 3);
    $redis->thaw if $n == 2;
    sleep 0.02;
}
%got = $c->answers($first);
is $got{$first}{status}, 200, 'a body that came while its request waited';
like $got{$first}{body}, qr/^Content-Length: 40000\r?$/m, 'is passed on';
is $backend->count(qr{^POST / .*^Content-Length: 40000}ms), 1, 'once';
$c->close;


# A reload lets the streams that wait end, and no old worker stays.

$redis->freeze;
$c = $http2->connect;
@slow = map { $c->open(GET => '/', bearer(stranger("reload $_"))) } 1 .. 3;
sleep 0.1;
ok $nginx->reload, 'a reload while three streams wait';
$redis->thaw;
%got = $c->answers(@slow);
is join(' ', map { $got{$_}{status} // 'none' } @slow), '200 200 200',
    'they are let in';
$c->close;
my $end = time + 5;
sleep 0.02 while time < $end
    && $nginx->workers(qr/worker process is shutting down/);
is scalar($nginx->workers(qr/worker process is shutting down/)), 0,
    'and the old workers go';
@worker = $nginx->all_workers(2);
is_well('after a reload');

my @line = audit_lines("$nginx->{root}/logs/audit.log");
is scalar(grep { $_->{decision} eq 'allow' && $_->{uri} =~ m{^/curl} }
          @line), 0, 'no audit line says that who had gone was let in';

ok $nginx->stop, 'an end';
ok !$nginx->trouble, 'without trouble';

done_testing;
