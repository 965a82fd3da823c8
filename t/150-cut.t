# Long responses end when their user may no longer be here: WebSockets of the
# npm package ws, events, downloads, streams of HTTP/2; and those of others,
# and of users to whom nothing bad has happened, go on.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store qw(within warm proxy_user);
use ProxyUser::Stream;
use Test::More;
use Time::HiRes qw(sleep time);

# What is promised is a second; a machine that has much to do gets more.
my $SOON = 5;

redis_start();
my $port = free_port();
my $backend = "http://127.0.0.1:$port";

my @node = open my $up, '-|', mortal('TERM'), 'tools/node',
    't/npm/stream.mjs', $port or die "node: $!\n";
<$up>;

# perl waits for them when it ends.
END { local $?; kill TERM => @node if @node }

my ($alice, $bob, $carol, $dave) = map {
    seed_user(id => user_id($_->[0]), sub => $_->[1]) }
    [1, 'alice'], [2, 'bob'], [3, 'carol'], [4, 'dave'];

my $nginx = start_nginx(workers => 2, http => <<'END', server => <<"END");
proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET;
END
listen 127.0.0.1:\$TEST_NGINX_FREE_PORT_1 http2;
proxy_user on;
proxy_user_audit logs/audit.log;
proxy_http_version 1.1;
proxy_set_header Upgrade \$http_upgrade;
proxy_set_header Connection upgrade;
proxy_buffering off;
location / {
    proxy_pass $backend;
}
location /on/ {
    proxy_user_cut on;
    proxy_pass $backend;
}
location /off/ {
    proxy_user_cut off;
    proxy_pass $backend;
}
location /report/ {
    proxy_user_mode report;
    proxy_pass $backend;
}
location /file {
    limit_rate 1k;
    alias $ENV{PROXY_USER_COMMAND};
}
location /quick {
    try_files /index.html =404;
}
END

sub of { my ($sub, @claims) = @_; token(claims => { sub => $sub, @claims }) }

sub stream { stream_on($nginx, $_[0], token => $_[1]) }

sub socket_of {
    my ($uri, $token) = @_;

    push @node, open my $out, '-|', mortal('TERM'), 'tools/node',
        't/npm/socket.mjs', "ws://127.0.0.1:$nginx->{port}$uri", $token or die "node: $!\n";
    chomp(my $line = <$out>);
    return ($line, $out);
}

sub cut_of {
    my ($uri) = @_;
    my $line;

    within(5, sub {
        ($line) = grep { $_->{uri} eq $uri && $_->{cut} }
            audit_lines("$nginx->{root}/logs/audit.log");
    });
    return $line ? $line->{cut} : undef;
}


# Suspended: everything of alice ends, nothing of bob.

my ($line, $ws) = socket_of('/ws-alice', of('alice'));
is $line, 'open hello', 'a WebSocket is open';
my @long = map { stream($_, of('alice')) } '/a/sse', '/a/long', '/file';
my $silent = stream('/a/silent', of('alice'));
my $kept = stream('/off/sse', of('alice'));
my $reported = stream('/report/sse', of('alice'));
my ($bobs, $bob_ws) = socket_of('/ws-bob', of('bob'));
my $other = stream('/b/sse', of('bob'));

change_user($alice, 'suspend', state => 'suspended', suspended_by => 'cli');

my $start = time;
chomp($line = <$ws>);
is $line, 'closed 1006', 'the WebSocket is closed';
cmp_ok time - $start, '<', $SOON, 'soon';
ok defined ended($_, $SOON), 'so is a long answer' for @long;
ok defined ended($silent, $SOON), 'so is one that has not begun';
is cut_of('/ws-alice'), 'user_suspended', 'the audit line says why';
is cut_of('/a/sse'), 'user_suspended', 'of events too';

ok goes_on($kept), 'with "off" it goes on';
ok goes_on($reported), 'and where refusals are only reported';
ok goes_on($other), 'that of another user goes on';
is $bobs, 'open hello', 'as his socket was';
change_user($alice, 'resume', state => 'active', suspended_by => '');


# Nothing bad has happened.

change_user($bob, 'grant', roles => 'admin');
ok within(5, sub { $nginx->get('/quick', of('bob'))->{status} == 200 }),
    'bob was granted something';
sleep 0.6;
ok goes_on($other), 'that cuts nothing off';


# Revoked, deleted, the handle alone.

my $again = token(claims => { sub => 'bob', iat => time + 20 });
my $new = stream('/b/new/sse', $again);
change_user($bob, 'revoke', epoch => int time);
ok defined ended($other, $SOON), 'tokens issued so far are dead';
is cut_of('/b/sse'), 'token_revoked', 'and that is why';
chomp($line = <$bob_ws>);
is $line, 'closed 1006', 'of the socket as well';
ok goes_on($new), 'one issued later lives';

my $carols = stream('/c/sse', of('carol'));
change_user($carol, 'delete', state => 'deleted', roles => '');
ok defined ended($carols, $SOON), 'deleted';
is cut_of('/c/sse'), 'user_deleted', 'and that is why';

my $daves = stream('/d/sse', of('dave'));
my $digest = handle_digest('dave');
redis('HSET', "{pu}:handle:sub:$digest", state => 'revoked');
redis('XADD', '{pu}:log', '*', op => 'handle_revoke', user => '',
      handle => "sub:$digest", version => 0, actor => 'test',
      source => 'cli', reason => '');
ok defined ended($daves, $SOON), 'the handle alone is revoked';
ok defined cut_of('/d/sse'), 'and that is why';


# The command is one who changes.

my $erins = stream('/e/sse', of('erin'));
my ($erin) = redis('HGET', '{pu}:handle:sub:' . handle_digest('erin'),
                   'user');
my ($exit) = proxy_user(qw(user suspend), $erin);
is $exit, 0, 'proxy-user user suspend';
ok defined ended($erins, $SOON), 'closes what the user has open';


# The end of a token counts only where it is asked for.

my $short = sub { token(claims => { sub => 'fred', exp => time - 27 }) };
my $on = stream('/on/sse', $short->());
my $by = stream('/f/sse', $short->());
my $live = stream('/on/live/sse', of('fred'));
ok defined ended($on, 10), 'with "on" an expired token ends it';
is cut_of('/on/sse'), 'token_expired', 'and that is why';
ok goes_on($by), 'without it does not';
ok goes_on($live), 'nor does it end another token';


# HTTP/2: one stream of a connection.

my $h2 = http2_client($ENV{TEST_NGINX_FREE_PORT_1})->connect;
seed_user(id => user_id(8), sub => 'gina');
my $mine = $h2->open(GET => '/g/sse',
                     [Authorization => 'Bearer ' . of('gina')]);
my $his = $h2->open(GET => '/h/sse',
                    [Authorization => 'Bearer ' . of('henry')]);
my $data = sub { length $h2->{stream}{$_[0]}{body} };
my $read = sub { $h2->take(time + 1); 1 };
ok within(10, sub { $read->(); $data->($mine) && $data->($his) }),
    'two streams have begun';
change_user(user_id(8), 'suspend', state => 'suspended',
            suspended_by => 'cli');
is cut_of('/g/sse'), 'user_suspended', 'one is cut off';
my $so_far = $data->($his);
ok within(5, sub { $read->(); $data->($his) > $so_far + 20 }),
    'the other goes on';
$so_far = $data->($mine);
$read->() for 1 .. 3;
is $data->($mine), $so_far, 'and nothing more comes on the first';


# A Redis that is away says nothing about anybody.

redis('CONFIG', 'SET', 'timeout', 0);
my $ivan = stream('/i/sse', of('ivan'));
my $ivans = redis('HGET', '{pu}:handle:sub:' . handle_digest('ivan'),
                  'user');
redis('CLIENT', 'PAUSE', 1500, 'ALL');
sleep 1;
ok goes_on($ivan), 'who is not known is not refused';
within(10, sub { eval { redis('PING') } });
change_user($ivans, 'suspend', state => 'suspended', suspended_by => 'cli');
ok defined ended($ivan, 10), 'and afterwards it ends as ever';


# A reload leaves a worker with what is open: it still listens.

my $judy = stream('/j/sse', of('judy'));
my $judys = redis('HGET', '{pu}:handle:sub:' . handle_digest('judy'), 'user');
$nginx->reload;
change_user($judys, 'suspend', state => 'suspended', suspended_by => 'cli');
ok defined ended($judy, 10), 'a draining worker cuts off too';


# Many of one user and many of others.

my @many = map { stream('/m/sse', of('mia')) } 1 .. 60;
my @rest = map { stream('/n/sse', of("nobody$_")) } 1 .. 20;
my $mia = redis('HGET', '{pu}:handle:sub:' . handle_digest('mia'), 'user');
change_user($mia, 'suspend', state => 'suspended', suspended_by => 'cli');
is scalar(grep { defined ended($_, 10) } @many), 60, 'all of one';
is scalar(grep { goes_on($_) } @rest), 20, 'none of the others';

my ($ok, $text) = nginx_t(server => 'proxy_user_cut always;');
ok !$ok && $text =~ /"always", allowed are on, revoked, off/,
    'nginx -t says what is allowed';

$_->close for $kept, $new, $by, $live, @rest;
ok !trouble($nginx->log), 'nothing alarming was logged';

kill TERM => @node;
done_testing();
