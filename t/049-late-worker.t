# A worker that has had no processor for longer than Redis may take: what has
# arrived meanwhile was in time, and nobody is refused for it. One that Redis
# has not answered is, as before.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More tests => 6;
use Time::HiRes qw(sleep);

my $TIMEOUT = 1;

my $redis = redis_start();
seed_user(id => user_id($_), sub => "user-$_") for 1 .. 3;

my $nginx = start_nginx(
    http => "proxy_user_redis unix:\$TEST_NGINX_REDIS_SOCKET "
          . "timeout=${TIMEOUT}s;\n",
    server => 'proxy_user on;');
my ($worker) = $nginx->all_workers(1);

is get(1)->{status}, 200, 'Redis is there';

$nginx->mark;
is while_stopped(2, sub { $redis->thaw; $redis->command('PING') for 1 .. 3 })
    ->{status}, 200, 'the answer was there before the worker was';
unlike $nginx->log, qr/no answer in time/, 'and Redis is not blamed';
is get(2)->{status}, 200, 'nor forgotten';

is while_stopped(3, sub { })->{status}, 503, 'there was none';
$redis->thaw;
like $nginx->log, qr/no answer in time/, 'and that is said';


sub get { $nginx->get('/index.html', token(claims => { sub => "user-$_[0]" })) }


# A user whom nginx has to ask for, while neither Redis nor the worker runs
# for longer than the timeout; the work is done before the worker goes on.
sub while_stopped {
    my ($user, $work) = @_;

    $redis->freeze;
    my $c = $nginx->connect;
    $c->send("GET /index.html HTTP/1.1\r\nHost: localhost\r\n"
        . 'Authorization: Bearer '
        . token(claims => { sub => "user-$user" }) . "\r\n\r\n");
    sleep $TIMEOUT / 4;

    kill STOP => $worker;
    $work->();
    sleep $TIMEOUT;
    kill CONT => $worker;

    return $c->answer // { status => 'closed' };
}
