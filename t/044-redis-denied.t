# A Redis that does not let the module in: a wrong password, a user without
# the rights, no room for one more client. Nobody is let in for it, the log says what to look at, no secret
# is in it, and Redis is not asked again and again.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Faults qw(shim);
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep);


subtest 'passwords and users of Redis' => sub {
    my $secret = 'correct-horse-battery';
    write_file('right', "$secret\n");
    write_file('wrong', "something-else\n");
    my $file = sub { "password_file=\$TEST_NGINX_TMP/$_[0]" };

    my $locked = redis_start(password => $secret);
    seed_user(sub => 'alice', state => 'suspended');

    my $nginx = store_nginx(redis => $file->('right'));
    is verdict($nginx, as('alice')), '403 user_suspended',
        'the right password';
    is verdict($nginx, as('bob')), '200 ok', 'and users are made';

    $nginx = store_nginx(redis => $file->('wrong'));
    unavailable($nginx, 'a wrong password', qr/.*WRONGPASS/);
    unlike $nginx->log, qr/something-else/, 'which is in no log';

    $nginx = store_nginx();
    unavailable($nginx, 'no password', qr/.*(?:NOAUTH|password_file)/);

    # A user that may do what the module has to do, and one that may not.
    redis('ACL', 'SETUSER', 'gate', 'on', ">$secret", '~{pu}:*', '+evalsha',
          '+script|load', '+xread', '+xrange', '+xrevrange', '+hset',
          '+hmget', '+type', '+time', '+sadd', '+zadd', '+xadd', '+xinfo',
          '+select');
    redis('ACL', 'SETUSER', 'guest', 'on', ">$secret", '~other:*', '+@all');
    my $at = sub { "redis://$_[0]\@127.0.0.1:\$TEST_NGINX_REDIS_PORT" };

    $nginx = store_nginx(url => $at->('gate'), redis => $file->('right'));
    is verdict($nginx, as('alice')), '403 user_suspended', 'an ACL user';
    is verdict($nginx, as('carol')), '200 ok', 'makes users';
    warm($nginx);
    is ask($nginx, as('carol'))->{cache}, 'hit', 'and follows the log';
    is scalar(lines($nginx->log, qr/\[(?:error|warn)\]/)), 0,
        'with those few rights';

    $nginx = store_nginx(url => $at->('gate'), redis => $file->('wrong'));
    unavailable($nginx, 'an ACL user with a wrong password', qr/.*WRONGPASS/);

    $nginx = store_nginx(url => $at->('nobody'), redis => $file->('right'));
    unavailable($nginx, 'a user that is not there', qr/.*WRONGPASS/);

    $nginx = store_nginx(url => $at->('guest'), redis => $file->('right'));
    is verdict($nginx, as('alice')), '503 store_unavailable',
        'a user without a right to these keys';
    is verdict($nginx, as('dave')), '503 store_unavailable', 'makes nobody';
    ok $nginx->wait_log(qr/\[error\].*proxy_user: redis/), 'it is logged';
    unlike $nginx->log, qr/\Q$secret\E/, 'and the password is not';
    $locked->stop;
};


# A wrong password is nothing that gets better by trying.
subtest 'NOAUTH and WRONGPASS' => sub {
    my $redis = redis_start();
    my $fake = fake_redis($redis);
    my $number = 0;
    my $new = sub { as('new-' . ++$number) };
    my $through = sub {
        return store_nginx(url => "redis://127.0.0.1:$fake->{port}");
    };

    for my $mode (qw(noauth wrongpass)) {
        $fake->mode($mode);
        my $before = $fake->connections;
        my $nginx = $through->();
        is verdict($nginx, $new->()), '503 store_unavailable', $mode;
        sleep 1.5;
        is verdict($nginx, $new->()), '503 store_unavailable', 'still';
        cmp_ok $fake->connections - $before, '<=', 2,
            'it is not asked again and again';
        is scalar(lines($nginx->log, qr/\[error\].*for look-ups/)), 1,
            'one line tells why';
        like $nginx->log, qr/\U$mode\E.*password_file/, 'and what to look at';
        $fake->mode('pass');
    }

    # While it is in use: who was let in before is not thrown out for it.
    my $nginx = $through->();
    seed_user(sub => 'known');
    warm($nginx);
    is verdict($nginx, as('known')), '200 ok', 'somebody is known';
    $fake->mode('noauth', on => 'EVALSHA', times => 1);
    is verdict($nginx, $new->()), '503 store_unavailable', 'NOAUTH';
    is verdict($nginx, as('known')), '200 ok', 'he is still known';
    is verdict($nginx, $new->()), '503 store_unavailable', 'nobody else is';

    my $seconds = within(13, sub { verdict($nginx, $new->()) eq '200 ok' });
    ok defined $seconds, 'after ten seconds it is tried again';
    cmp_ok $seconds // 0, '>', 5, 'and not before';
};


# It says so and closes: with luck before the module has said anything, whose
# bytes then find nobody.
subtest 'a Redis that is full' => sub {
    plan skip_all => 'a sanitizer has to come first'
        if $ENV{PROXY_USER_MODULE} eq '';

    my $redis = redis_start(config => [maxclients => 1]);
    $redis->command('PING');

    my %at = (
        'over TCP' => 'redis://127.0.0.1:$TEST_NGINX_REDIS_PORT/1',
        'over a Unix socket' => 'unix:$TEST_NGINX_REDIS_SOCKET',
    );
    local $ENV{LD_PRELOAD} = shim('connect');
    local $ENV{FAULT_CONNECT} = 50_000;

    for my $how (sort keys %at) {
        my $nginx = store_nginx(url => $at{$how});
        unavailable($nginx, $how,
                    qr/it answered "ERR max number of clients reached"/);
    }

    $redis->command(qw(CONFIG SET maxclients 100));
    my $nginx = store_nginx();
    is verdict($nginx, as('erin')), '200 ok', 'with room it lets in';
};


done_testing();
