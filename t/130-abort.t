# Clients that go away, push, or say half of what they mean, most of them
# while their request waits for Redis. Nobody else notices, and the workers
# are the same at the end.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

use Socket qw(SHUT_WR);
use Time::HiRes qw(sleep time);

my $alice = token(claims => { roles => ['reader'] });
my $bob = token(claims => { sub => 'bob' });

sub stranger { token(claims => { sub => $_[0] }) }

my $backend = start_backend();
my $redis = redis_start();
seed_user(id => user_id(1), sub => 'alice');
seed_user(id => user_id(2), sub => 'bob');
seed_user(id => user_id(3), sub => 'mallory', state => 'suspended');
seed_user(id => user_id(4), sub => 'eve', state => 'suspended');
seed_user(id => user_id(5), sub => 'oscar', state => 'suspended');
my $mallory = stranger('mallory');

my $nginx = start_nginx(http => <<'END', server => <<'END', workers => 2);
proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET timeout=4s;
log_format who '$request_uri $status <$proxy_user_subject> '
               '<$proxy_user_reason>';
END
listen 127.0.0.1:$TEST_NGINX_FREE_PORT_1 sndbuf=32k;
access_log logs/access.log who;
proxy_user_audit logs/audit.log;
add_header X-Reason $proxy_user_reason always;
add_header X-Subject $proxy_user_subject always;
add_header X-Cache "$proxy_user_cache $proxy_user_token_cache" always;
keepalive_requests 10000;
proxy_user on;
location / { proxy_pass $TEST_NGINX_ECHO; }
location /file { try_files /index.html =404; }
location /role { proxy_user_role reader; try_files /index.html =404; }
location /large { proxy_user off; try_files /large =404; }
location /page {
    error_page 401 403 503 = @page;
    proxy_user_role admin;
}
location @page { proxy_user_role reader; proxy_pass $TEST_NGINX_ECHO; }
END

my @worker = $nginx->all_workers(2);
write_file("$nginx->{root}/html/large", 'x' x (8 * 1024 * 1024));

sub logged {
    my ($pattern, $seconds) = @_;

    my $end = time + ($seconds // 3);
    until (read_file("$nginx->{root}/logs/access.log") =~ $pattern) {
        return 0 if time > $end;
        sleep 0.02;
    }

    return 1;
}

sub seen { scalar(() = read_file("$nginx->{root}/logs/access.log")
                  =~ /$_[0]/g) }

sub said {
    my ($answer) = @_;

    return 'closed' unless $answer;
    return "$answer->{status} " . ($answer->{headers}{'x-reason'} // '')
        . ' ' . ($answer->{headers}{'x-subject'} // '');
}

sub warm {
    for my $token (@_) {
        for (1 .. 150) {
            last if $nginx->get('/file', $token)->{headers}{'x-cache'}
                eq 'hit hit';
            sleep 0.02;
        }
    }
}

sub start {
    my ($token, $uri, %opt) = @_;

    my $c = $nginx->connect;
    $c->ask('GET', $uri // '/', token => $token, %opt);
    return $c;
}

sub is_well {
    my ($title) = @_;

    is said($nginx->get('/file', $alice)), '200 ok alice', "$title, alice";
    is said($nginx->get('/file', $mallory)), '403 user_suspended mallory',
        "$title, mallory";
    is said($nginx->get('/file')), '401 no_credential ', "$title, nobody";
    is join(' ', sort $nginx->workers), "@worker", "$title, same workers";
}

is_well('to begin with');


# Gone while waiting. What Redis says later is of use to the next one.

$redis->freeze;
my $c = start(stranger('first'), '/gone');
sleep 0.1;
$c->close;
ok logged(qr{^/gone 499 <first> <>$}m), 'a client that closed is a 499';
is $backend->count(qr{^GET /gone }), 0, 'the backend is not asked';
$redis->thaw;
is said(start(stranger('first'), '/file')->answer), '200 ok first',
    'the next one is let in';
is_well('after one that closed');

$redis->freeze;
$c = start(stranger('second'), '/reset');
sleep 0.1;
$c->reset;
ok logged(qr{^/reset 499 }m), 'a client that reset is a 499';
$redis->thaw;
sleep 0.1;
is_well('after one that reset');

# nginx takes the end of what the client says for the end of the client.
$redis->freeze;
$c = start(stranger('third'), '/half');
sleep 0.1;
shutdown $c->{socket}, SHUT_WR;
ok logged(qr{^/half 499 }m), 'half a close is a 499';
$redis->thaw;
is $c->answer(timeout => 2), undef, 'and is not answered';
is $backend->count(qr{^GET /(?:half|reset|gone) }), 0, 'nor passed on';
is_well('after half a close');

# One of many who wait for one user's record.
my $shared = stranger('shared');
$redis->freeze;
my @c = map { start($shared, "/shared/$_") } 1 .. 6;
sleep 0.1;
$_->reset for @c[0, 2, 5];
ok logged(qr{^/shared/6 499 }m), 'some of those who wait together go';
$redis->thaw;
is join(', ', map { said($_->answer) } @c[1, 3, 4]),
    join(', ', ('200 ok shared') x 3), 'the others are let in';

# All who wait, and then it is refused, or never answered.
$redis->freeze;
@c = map { start(stranger('eve'), '/page') } 1 .. 4;
sleep 0.1;
$_->close for @c[0, 1];
$redis->thaw;
is join(', ', map { said($_->answer) } @c[2, 3]),
    join(', ', ('403 user_suspended eve') x 2), 'who stays is refused';
is_well('after a crowd');


# Fifty at once, with a reset at any moment.

for my $round (1 .. 2) {
    $redis->freeze;
    @c = map { start(stranger("r$round $_"), '/storm') } 1 .. 50;
    sleep 0.05;
    $_->reset for @c[0 .. 29];
    $redis->thaw;
    sleep 0.01;
    $_->reset for @c[30 .. 44];
    my %said = map { said($_->answer) => 1 } @c[45 .. 49];
    is join(', ', sort keys %said),
        join(', ', sort map { "200 ok r$round $_" } 46 .. 50),
        'those who stay are let in, as who they are';
}

for (1 .. 60) {
    my $c = start(stranger("quick $_"), '/quick');
    sleep rand 0.004;
    $c->reset;
}

is_well('after a storm of resets');

my $before = seen(qr/ 499 /);
$redis->freeze;
@c = map { start(stranger("late $_"), '/late') } 1 .. 20;
sleep 0.1;
$_->reset for @c;
for (1 .. 100) {
    last if seen(qr/ 499 /) >= $before + 20;
    sleep 0.02;
}
is seen(qr/ 499 /), $before + 20, 'twenty who went before the answer';
$redis->thaw;
is said(start(stranger("late $_"), '/file')->answer), "200 ok late $_",
    'have left their record behind' for 1, 20;


# One connection, several people: what one proves is not the next one's.

warm($alice, $bob, $mallory);

sub pipeline {
    my ($title, @step) = @_;

    my $c = $nginx->connect;
    $c->send(join '', map {
        my ($token, $body) = @$_;
        ($body ? 'POST' : 'GET') . " /file HTTP/1.1\r\nHost: localhost\r\n"
            . (defined $token ? "Authorization: Bearer $token\r\n" : '')
            . ($body ? 'Content-Length: ' . length($body) . "\r\n\r\n$body"
                     : "\r\n")
    } @step);

    for my $n (1 .. @step) {
        is said($c->answer), $step[$n - 1][2], "$title, $n";
    }

    $c->close;
}

my %says = (alice => [$alice, '', '200 ok alice'],
            bob => [$bob, '', '200 ok bob'],
            mallory => [$mallory, '', '403 user_suspended mallory'],
            nobody => [undef, '', '401 no_credential '],
            bad => ['x', '', '401 token_malformed '],
            post => ['x', "GET /large HTTP/1.1\r\n\r\n" x 99,
                     '401 token_malformed ']);

pipeline('warm', @says{qw(alice nobody bob bad alice mallory nobody post
                          bob post nobody)});
pipeline('cold', map { my $n = $_;
    ([stranger("pipe $n"), '', "200 ok pipe $n"], $says{nobody},
     [token(claims => { sub => "pipe $n", aud => 'x' }), '',
      '401 token_audience ']) } 1 .. 8);

# Somebody waits, and behind him on the same connection others already speak.
$redis->freeze;
$c = $nginx->connect;
$c->ask('GET', '/file', token => stranger('slow'));
$c->ask('GET', '/file');
sleep 0.1;
$c->ask('GET', '/file', token => $alice);
$c->ask('GET', '/file', token => stranger('slow too'));
sleep 0.1;
$redis->thaw;
is join(', ', map { said($c->answer) } 1 .. 4),
    '200 ok slow, 401 no_credential , 200 ok alice, 200 ok slow too',
    'who speaks while another waits is heard after him';
$c->close;


# A handler that waits is entered again by events that are not meant for it:
# once an answer did not fit into the socket, epoll reports with everything
# that comes in that something may go out as well.

my $narrow = bless { %$nginx, port => $ENV{TEST_NGINX_FREE_PORT_1} },
    ref $nginx;
$redis->freeze;
$c = $narrow->connect;
$c->ask('GET', '/large');
sleep 0.3;
is length($c->answer->{body}), 8 * 1024 * 1024, 'a large answer';
$c->ask('GET', '/again', token => stranger('again'));
for (1 .. 20) {
    sleep 0.01;
    $c->send("GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n");
}
is $backend->count(qr{^GET /again }), 0, 'nobody is let in by an event';
is seen(qr{^/again }m), 0, 'nor refused';
$redis->thaw;
is said($c->answer), '200 ok again', 'but by the answer, once';
is said($c->answer), '401 no_credential ', 'then the next' for 1 .. 20;
is $backend->count(qr{^GET /again }), 1, 'and only once';
$c->close;

# The body arrives while its request waits.
my $body = join '', map { chr 32 + $_ * 7 % 90 } 1 .. 300_000;

for (['body', '200 ok body'], ['oscar', '403 user_suspended oscar']) {
    my ($who, $said) = @$_;

    $redis->freeze;
    my $c = $nginx->connect;
    $c->send("POST /body HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
             . stranger($who) . "\r\nContent-Length: " . length($body)
             . "\r\n\r\n");

    for (my $at = 0; $at < length $body; $at += 50_000) {
        sleep 0.02;
        $redis->thaw if $at == 200_000;
        $c->send(substr $body, $at, 50_000);
    }

    my $answer = $c->answer;
    is said($answer), $said, "a body in pieces, of $who";
    is $answer->{headers}{'x-body'}, $answer->{status} == 200
        ? length($body) . ' ' . Digest::MD5::md5_hex($body) : undef,
        'which arrives whole or not at all';
    $c->ask('GET', '/file', token => $alice);
    is said($c->answer), '200 ok alice', 'and then the next request';
    $c->close;
}


# Half a request is none.

$before = () = $backend->heads;
for my $bytes ('GET ', "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ",
               "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $alice",
               "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $alice\r\n",
               "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $alice\r\n"
               . "Content-Length: 10\r\n\r\nhalf") {
    for my $end (qw(close reset)) {
        my $c = $nginx->connect;
        $c->send($bytes);
        sleep 0.03;
        $c->$end;
    }
}
sleep 0.1;
is scalar(() = $backend->heads), $before, 'half a request is passed to nobody';

is_well('at the end');

my @line = audit_lines("$nginx->{root}/logs/audit.log");
ok @line > 100, 'the audit lines are whole';
is scalar(grep { ($_->{decision} // '') eq 'allow' && $_->{uri} =~
                 m{^/(?:gone|reset|half|late)$} } @line), 0,
    'and none says that somebody was let in who had gone';

ok $nginx->stop, 'an end';
ok !$nginx->trouble, 'without trouble';


# The store says nothing at all: deadlines of requests that are gone.

$nginx = start_nginx(http => <<'END', location => <<'END');
proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET timeout=200ms;
END
proxy_user on;
add_header X-Reason $proxy_user_reason always;
try_files /index.html =404;
END
@worker = $nginx->all_workers(1);

is $nginx->get('/', $alice)->{status}, 200, 'a store';
$redis->freeze;
@c = map { start(stranger("dead $_")) } 1 .. 12;
sleep 0.05;
$_->reset for @c[0 .. 5];
is join(' ', map { ($_->answer // { status => 'cut' })->{status} }
        @c[6 .. 11]), join(' ', (503) x 6), 'none: who stays is told so';
sleep 0.5;
is $nginx->get('/', $bob)->{status}, 503, 'who comes later too';
$redis->thaw;
my $end = time + 3;
sleep 0.05 while time < $end && $nginx->get('/', $bob)->{status} != 200;
is $nginx->get('/', $bob)->{status}, 200, 'and let in when it is back';
is join(' ', $nginx->workers), "@worker", 'by the same worker';
ok $nginx->stop, 'an end';
ok !$nginx->trouble, 'without trouble';

done_testing;
